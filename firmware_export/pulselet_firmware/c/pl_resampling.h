/* Pulselet runtime: polyphase resampling, and even series from events. The same arithmetic as signal/resampling.py. */
#ifndef PL_RESAMPLING_H
#define PL_RESAMPLING_H

#include "pl_stage.h"

typedef struct {
    int32_t up, down, length, channels;
    const float *phases;         /* up x length, newest sample first */
} pl_resample_t;

typedef struct {
    int32_t channels;            /* values that are given, without held */
    int32_t valid;               /* column that says whether an event counts; -1: all do */
    int32_t step;                /* of the even grid, in parts of a tick */
    int32_t parts;               /* of a tick */
    int32_t longest;             /* ticks that are bridged by a line */
    int32_t rows;                /* the most given for one event */
    const int32_t *columns;      /* of the values */
} pl_even_t;

#define PL_MOST_LOST 0x40000000u                 /* outputs of one gap: what is more is forgotten */
#define PL_LONGEST_SINCE 16777216.0f             /* 2**24: float32 counts no further */
#define PL_MOST_OWED 0x20000000                  /* parts of a tick that the grid may be behind */

/* Adds to sum the weighed samples of a ring, newest first. */
static inline float pl_weigh(float sum, const float *taps, const pl_word_t *ring, int32_t size, int32_t oldest)
{
    for (int32_t i = oldest - 1; i >= 0; i--)
        sum += *taps++ * ring[i].f;
    for (int32_t i = size - 1; i >= oldest; i--)
        sum += *taps++ * ring[i].f;
    return sum;
}

/* state: where the oldest kept row is, steps from the next input to the next output, inputs to come that give none,
 * started flag; then of each channel a ring of length - 1. */
static inline int32_t pl_resample_step(const void *constants, pl_word_t *state, const float *x, float *y)
{
    const pl_resample_t *k = (const pl_resample_t *)constants;
    const int32_t past = k->length - 1, oldest = state[0].i;
    pl_word_t *ring = state + 4;
    int32_t found = 0;
    if (!state[3].i)
        for (int32_t i = 0; i < past * k->channels; i++)
            ring[i].f = x[i / past];
    state[3].i = 1;
    for (; state[1].i < k->up; state[1].i += k->down) {
        const float *taps = k->phases + state[1].i * k->length;
        if (state[2].i > 0)
            continue;
        for (int32_t c = 0; c < k->channels; c++)
            *y++ = pl_weigh(taps[0] * x[c], taps + 1, ring + c * past, past, oldest);
        found++;
    }
    state[1].i -= k->up;
    if (state[2].i > 0)
        state[2].i--;
    for (int32_t c = 0; c < k->channels; c++)
        ring[c * past + oldest].f = x[c];
    state[0].i = oldest + 1 == past ? 0 : oldest + 1;
    return found;
}

/* Outputs that come with the next inputs, and in *ahead where the one after them lies. */
static inline uint32_t pl_resample_outputs(const pl_resample_t *k, uint32_t inputs, int32_t *ahead)
{
    const uint32_t down = (uint32_t)k->down, up = (uint32_t)k->up;
    const int32_t rest = (int32_t)(inputs % down) * k->up;   /* down inputs give up outputs, wherever they begin */
    int32_t found = 0;
    if (rest > *ahead)
        found = (rest - *ahead + k->down - 1) / k->down;
    *ahead += found * k->down - rest;
    if (inputs / down > PL_MOST_LOST / up)
        return PL_MOST_LOST;
    const uint32_t outputs = inputs / down * up + (uint32_t)found;
    return outputs < PL_MOST_LOST ? outputs : PL_MOST_LOST;
}

static inline uint32_t pl_resample_gap(const void *constants, pl_word_t *state, uint32_t lost)
{
    const pl_resample_t *k = (const pl_resample_t *)constants;
    const int32_t past = k->length - 1;
    int32_t told = state[1].i, ahead = state[1].i;
    const uint32_t before = pl_resample_outputs(k, (uint32_t)state[2].i, &told);
    const uint32_t during = pl_resample_outputs(k, lost, &ahead);
    pl_zero(state, 4 + past * k->channels);
    state[1].i = ahead;
    const uint32_t after = pl_resample_outputs(k, (uint32_t)past, &ahead);
    state[2].i = past;
    state[3].i = 1;
    return during + after - before;
}

#define PL_EVEN_KNOWN 1                          /* there is a last event */
#define PL_EVEN_LOST 2                           /* events were lost since then */

/* state: from the last event to the next row, in parts of a tick, 0 or less if it is owed; flags; values of that event. */
static inline int32_t pl_even_step(const void *constants, pl_word_t *state, const float *x, float *y)
{
    const pl_even_t *k = (const pl_even_t *)constants;
    const float since = x[0] < 0.0f ? 0.0f : x[0] > PL_LONGEST_SINCE ? PL_LONGEST_SINCE : x[0];
    const int32_t ticks = (int32_t)since, span = ticks * k->parts;
    const int32_t known = k->valid < 0 || x[k->valid] > 0.0f;
    const int32_t line = known && state[1].i == PL_EVEN_KNOWN && ticks <= k->longest;
    pl_word_t *last = state + 2;
    int32_t found = 0, ahead = state[0].i;
    if (known && !(state[1].i & PL_EVEN_KNOWN))
        for (int32_t c = 0; c < k->channels; c++)
            last[c].f = x[k->columns[c]];
    if (known || (state[1].i & PL_EVEN_KNOWN)) {
        for (; ahead <= span && found < k->rows; found++, ahead += k->step) {
            const int32_t bridged = line && ahead > 0;
            for (int32_t c = 0; c < k->channels; c++) {
                *y = last[c].f;
                if (bridged)
                    *y += (x[k->columns[c]] - last[c].f) * ((float)ahead / (float)span);
                y++;
            }
            *y++ = bridged ? 0.0f : 1.0f;
        }
    }
    if (known) {
        for (int32_t c = 0; c < k->channels; c++)
            last[c].f = x[k->columns[c]];
        state[1].i = PL_EVEN_KNOWN;
    }
    ahead -= span;
    state[0].i = ahead < -PL_MOST_OWED ? -PL_MOST_OWED : ahead;
    return found;
}

static inline uint32_t pl_even_gap(const void *constants, pl_word_t *state, uint32_t lost)
{
    (void)constants;
    (void)lost;
    state[1].i |= PL_EVEN_LOST;
    return 0;
}

#endif
