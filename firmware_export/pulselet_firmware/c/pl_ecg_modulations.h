/* Pulselet runtime: what breathing modulates in the R peaks of a signal. The same as signal/modulations.py. */
#ifndef PL_ECG_MODULATIONS_H
#define PL_ECG_MODULATIONS_H

#include "pl_modulations.h"
#include "pl_ecg_peaks.h"

typedef pl_modulations_t pl_ecg_modulations_t;

/* A sample to at most one row, or after a gap to those that it held. */
static inline int32_t pl_ecg_modulations_step(const void *constants, pl_word_t *state, const float *x, float *y)
{
    const pl_modulations_t *k = (const pl_modulations_t *)constants;
    float events[2 * 4];            /* at most two at once */
    const int32_t count = pl_ecg_peaks_step(k->beats, pl_modulations_beats(k, state), x, events);
    return pl_modulations_fold(k, state, x, events, count, 4, y);
}

static inline uint32_t pl_ecg_modulations_gap(const void *constants, pl_word_t *state, uint32_t lost)
{
    const pl_modulations_t *k = (const pl_modulations_t *)constants;
    if (!pl_modulations_hold(k, state, lost))
        return pl_modulations_anew(k, state, lost);
    pl_ecg_peaks_gap(k->beats, pl_modulations_beats(k, state), lost);
    return 0u;
}

#endif
