/* Pulselet runtime: which intervals between heartbeats are normal. The same arithmetic as signal/ecg_rhythm.py. */
#ifndef PL_ECG_RHYTHM_H
#define PL_ECG_RHYTHM_H

#include "pl_math.h"

#define PL_RHYTHM_INTERVALS 9
#define PL_RHYTHM_CHANGES 31

typedef struct {
    int32_t columns;             /* of an event: since, valid, ... */
    float clock_hz, widest;
} pl_rhythm_t;

/* The median of an odd number of values, at most 31. */
static inline float pl_rhythm_median(const pl_word_t *values, int32_t n)
{
    float sorted[PL_RHYTHM_CHANGES];
    for (int32_t i = 0; i < n; i++) {
        int32_t j = i;
        for (; j > 0 && sorted[j - 1] > values[i].f; j--)
            sorted[j] = sorted[j - 1];
        sorted[j] = values[i].f;
    }
    return sorted[n / 2];
}

static inline void pl_rhythm_keep(pl_word_t *values, int32_t n, float newest)
{
    for (int32_t i = 1; i < n; i++)
        values[i - 1] = values[i];
    values[n - 1].f = newest;
}

/* 0 normal, 1 early, 2 late, 3 after an early one, 4 missed beat, 5 extra beat. */
static inline int32_t pl_rhythm_kind(float rr, float before, float reference, float limit, int32_t after, int32_t *early)
{
    const float least = before > 0.0f && before < reference ? before : reference;
    const float most = before > reference ? before : reference;
    const int late = rr - most > limit || rr > 3.0f;
    *early = least - rr > limit || rr < 0.24f;
    if (after && pl_absf((before + rr) - reference) <= limit)
        return 5;
    if (*early)
        return 1;
    if (after)
        return 3;
    if (late)
        return pl_absf(0.5f * rr - reference) <= limit ? 4 : 2;
    return 0;
}

/* state: started flag, interval before, whether it was early, spare, 9 intervals, 31 deviations. */
static inline int32_t pl_rhythm_step(const void *constants, pl_word_t *state, const float *x, float *y)
{
    const pl_rhythm_t *k = (const pl_rhythm_t *)constants;
    pl_word_t *intervals = state + 4, *deviations = intervals + PL_RHYTHM_INTERVALS;
    int32_t kind = -1, early = 0;
    float rr = 0.0f;
    if (!state[0].i) {
        for (int32_t i = 0; i < PL_RHYTHM_INTERVALS; i++)
            intervals[i].f = i % 2 == 0 ? -1e30f : 1e30f;
        for (int32_t i = 0; i < PL_RHYTHM_CHANGES; i++)
            deviations[i].f = k->widest;
        state[0].i = 1;
    }
    if (x[1] > 0.0f && x[0] >= 1.0f) {
        rr = x[0] / k->clock_hz;
        float reference = pl_rhythm_median(intervals, PL_RHYTHM_INTERVALS);
        if (!(pl_absf(reference) < 1e30f))
            reference = rr;
        float part = 4.0f * pl_rhythm_median(deviations, PL_RHYTHM_CHANGES);
        part = part > 0.08f ? part : 0.08f;
        part = part < k->widest ? part : k->widest;
        kind = pl_rhythm_kind(rr, state[1].f, reference, part * reference, state[2].i, &early);
        const float deviation = pl_absf(rr - reference) / reference;
        pl_rhythm_keep(deviations, PL_RHYTHM_CHANGES, deviation < k->widest ? deviation : k->widest);
        pl_rhythm_keep(intervals, PL_RHYTHM_INTERVALS, rr);
    }
    state[1].f = rr;
    state[2].i = early;
    for (int32_t i = 0; i < k->columns; i++)
        y[i] = x[i];
    y[k->columns] = rr;
    y[k->columns + 1] = kind == 0 ? 1.0f : 0.0f;
    y[k->columns + 2] = (float)kind;
    return 1;
}

static inline uint32_t pl_rhythm_gap(const void *constants, pl_word_t *state, uint32_t lost)
{
    (void)constants;
    state[1].f = 0.0f;
    state[2].i = 0;
    return lost;
}

#endif
