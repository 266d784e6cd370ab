/* Pulselet runtime: skin temperature. The same arithmetic as signal/temperature.py. */
#ifndef PL_TEMPERATURE_H
#define PL_TEMPERATURE_H

#include "pl_filters.h"
#include "pl_math.h"

typedef struct {
    const pl_sos_t *smooth, *slow;
    float lowest_c, highest_c, steepest;
    float per_min;               /* from the distance to the slow average to a slope */
    int32_t hold;                /* samples that are passed over after a bad one */
} pl_skin_temperature_t;

/* What the state begins with; those of smooth and slow follow. */
enum { PL_TEMPERATURE_BLOCKED, PL_TEMPERATURE_SEEN, PL_TEMPERATURE_PREVIOUS, PL_TEMPERATURE_HELD, PL_TEMPERATURE_FILTERS };

/* One sample, degC, to temperature, slope (degC per min), usable. */
static inline int32_t pl_skin_temperature_step(const void *constants, pl_word_t *state, const float *x, float *y)
{
    const pl_skin_temperature_t *k = (const pl_skin_temperature_t *)constants;
    pl_word_t *smooth = state + PL_TEMPERATURE_FILTERS, *slow = smooth + 1 + 2 * k->smooth->sections;
    const float before = state[PL_TEMPERATURE_SEEN].i ? state[PL_TEMPERATURE_PREVIOUS].f : x[0];
    if (x[0] < k->lowest_c || x[0] > k->highest_c || pl_absf(x[0] - before) > k->steepest)
        state[PL_TEMPERATURE_BLOCKED].i = k->hold + 1;
    state[PL_TEMPERATURE_SEEN].i = 1;
    state[PL_TEMPERATURE_PREVIOUS].f = x[0];
    if (state[PL_TEMPERATURE_BLOCKED].i > 0) {
        state[PL_TEMPERATURE_BLOCKED].i--;
        smooth[0].i = slow[0].i = 0;             /* not started */
        y[0] = state[PL_TEMPERATURE_HELD].f;
        y[1] = y[2] = 0.0f;
        return 1;
    }
    float average;
    pl_sos_step(k->smooth, smooth, x, y);
    pl_sos_step(k->slow, slow, y, &average);
    state[PL_TEMPERATURE_HELD].f = y[0];
    y[1] = (y[0] - average) * k->per_min;
    y[2] = 1.0f;
    return 1;
}

#endif
