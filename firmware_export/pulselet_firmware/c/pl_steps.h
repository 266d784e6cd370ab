/* Pulselet runtime: steps. The same arithmetic as signal/steps.py; acceleration in g. */
#ifndef PL_STEPS_H
#define PL_STEPS_H

#include "pl_motion.h"

#define PL_STEPS_RUN 4
#define PL_STEPS_FARTHEST 1073741824     /* places are kept no further away, far beyond what `since` says */

typedef struct {
    const pl_sos_t *smooth;      /* of one channel */
    float least_g, period_s;
    int32_t shortest, longest;   /* samples between steps */
} pl_steps_t;

/* state: filtered values known (0..2), the last two of them, places of the last event, [4] whether there is a peak, the
 * peak, its height, [7] length of the run, place of its last step, interval before it, [10] steps that wait, [13] the last step's height, the filter.
 * Places are of samples, counted from the one that comes next. */
enum { PL_STEPS_WAITING = 10, PL_STEPS_TALL = 13, PL_STEPS_FILTER = 14 };

/* Makes the peak a step; returns the events that this gives. */
static inline int32_t pl_steps_confirm(const pl_steps_t *k, pl_word_t *state, float *y)
{
    const int32_t place = state[5].i, interval = place - state[8].i, change = interval - state[9].i;
    const int32_t follows = state[7].i > 0 && interval <= k->longest;
    const int32_t steady = state[7].i == 1 || 5 * (change < 0 ? -change : change) <= 2 * state[9].i;
    int32_t before = state[8].i, rows = 0;
    state[4].i = 0;
    if (follows && 4.0f * state[6].f < state[PL_STEPS_TALL].f)
        return 0;                                /* the ringing of the filter after a step */
    state[PL_STEPS_TALL].f = state[6].f;
    state[8].i = place;
    if (!follows || !steady) {
        state[7].i = 1;
        state[9].i = 0;
        state[PL_STEPS_WAITING].i = place;
        return 0;
    }
    state[9].i = interval;
    const int32_t waiting = state[7].i < PL_STEPS_RUN ? state[7].i : 0;
    if (waiting + 1 < PL_STEPS_RUN && waiting > 0) {
        state[PL_STEPS_WAITING + waiting].i = place;
        state[7].i++;
        return 0;
    }
    for (int32_t i = 0; i <= waiting; i++, rows++) {
        const int32_t one = i < waiting ? state[PL_STEPS_WAITING + i].i : place;
        const int32_t since = one - state[3].i;
        y[2 * rows] = (float)(since < PL_SINCE_MOST ? since : PL_SINCE_MOST);
        y[2 * rows + 1] = (float)(i == 0 && waiting > 0 ? 0 : one - before) * k->period_s;
        before = one;
        state[3].i = one;
    }
    state[7].i = PL_STEPS_RUN;
    return rows;
}

static inline int32_t pl_steps_step(const void *constants, pl_word_t *state, const float *x, float *y)
{
    const pl_steps_t *k = (const pl_steps_t *)constants;
    const float size = pl_norm3(x), older = state[1].f, top = state[2].f;
    float value;
    int32_t rows = 0;
    pl_sos_step(k->smooth, state + PL_STEPS_FILTER, &size, &value);
    if (state[0].i == 2 && older < top && top >= value && top >= k->least_g && (!state[4].i || top > state[6].f)) {
        state[4].i = 1;
        state[5].i = -1;
        state[6].f = top;
    }
    if (state[4].i && -state[5].i >= k->shortest)
        rows = pl_steps_confirm(k, state, y);
    state[0].i += state[0].i < 2;
    state[1].f = top;
    state[2].f = value;
    static const int8_t places[6] = { 3, 5, 8, 10, 11, 12 };
    for (int32_t i = 0; i < 6; i++)
        state[places[i]].i -= state[places[i]].i > -PL_STEPS_FARTHEST;
    return rows;
}

/* Ends the walk and goes on counting samples. */
static inline uint32_t pl_steps_gap(const void *constants, pl_word_t *state, uint32_t lost)
{
    const pl_steps_t *k = (const pl_steps_t *)constants;
    const int32_t left = PL_STEPS_FARTHEST + state[3].i;
    const int32_t origin = lost < (uint32_t)left ? state[3].i - (int32_t)lost : -PL_STEPS_FARTHEST;
    pl_zero(state, PL_STEPS_FILTER + 1 + 2 * k->smooth->sections);
    state[3].i = origin;
    return 0u;
}

#endif
