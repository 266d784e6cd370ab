/* Pulselet runtime: what breathing modulates in the pulses of a signal. The same as signal/modulations.py. */
#ifndef PL_PPG_MODULATIONS_H
#define PL_PPG_MODULATIONS_H

#include "pl_modulations.h"
#include "pl_ppg_pulses.h"

typedef pl_modulations_t pl_ppg_modulations_t;

/* A sample to at most one row, or after a gap to those that it held. */
static inline int32_t pl_ppg_modulations_step(const void *constants, pl_word_t *state, const float *x, float *y)
{
    const pl_modulations_t *k = (const pl_modulations_t *)constants;
    float events[5];
    const int32_t count = pl_pulses_step(k->beats, pl_modulations_beats(k, state), x, events);
    return pl_modulations_fold(k, state, x, events, count, 5, y);
}

static inline uint32_t pl_ppg_modulations_gap(const void *constants, pl_word_t *state, uint32_t lost)
{
    const pl_modulations_t *k = (const pl_modulations_t *)constants;
    if (!pl_modulations_hold(k, state, lost))
        return pl_modulations_anew(k, state, lost);
    pl_pulses_gap(k->beats, pl_modulations_beats(k, state), lost);
    return 0u;
}

#endif
