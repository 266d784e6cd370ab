/* Pulselet runtime: worn or not, asleep or awake. The same arithmetic as signal/sleep.py. */
#ifndef PL_SLEEP_H
#define PL_SLEEP_H

#include "pl_motion.h"

typedef struct {
    int32_t block, count;        /* samples in a block, blocks in a window */
    int32_t spread, range;       /* of a still axis: less than this variance and range, in steps of 2^-15 g */
} pl_nonwear_t;

typedef struct {
    int32_t column;
    const float *weights;        /* 7, oldest first */
} pl_sleep_t;

static inline int64_t pl_get64(const pl_word_t *words)
{
    return (int64_t)((uint64_t)(uint32_t)words[0].i | ((uint64_t)(uint32_t)words[1].i << 32));
}

static inline void pl_add64(pl_word_t *words, int64_t more)
{
    const uint64_t sum = (uint64_t)(pl_get64(words) + more);
    words[0].i = (int32_t)(uint32_t)sum;
    words[1].i = (int32_t)(uint32_t)(sum >> 32);
}

/* Whether an axis was still over the window; axis: its six words in the first block. */
static inline int32_t pl_nonwear_still(const pl_nonwear_t *k, const pl_word_t *axis)
{
    int64_t total = 0, squares = 0;
    int32_t least = axis[4].i, most = axis[5].i;
    for (int32_t b = 0; b < k->count; b++, axis += 18) {
        total += pl_get64(axis);
        squares += pl_get64(axis + 2);
        least = axis[4].i < least ? axis[4].i : least;
        most = axis[5].i > most ? axis[5].i : most;
    }
    if (most - least >= k->range)
        return 0;
    const int64_t n = (int64_t)k->block * k->count, from = least;
    squares += n * from * from - 2 * from * total;
    total -= n * from;
    return n * squares - total * total < (int64_t)k->spread * n * n;
}

/* state: position, full blocks, the block that fills, blocks x axes x (sum, sum of squares, least, most). */
static inline int32_t pl_nonwear_step(const void *constants, pl_word_t *state, const float *x, float *y)
{
    const pl_nonwear_t *k = (const pl_nonwear_t *)constants;
    pl_word_t *axis = state + 3 + 18 * state[2].i;
    const int32_t position = state[0].i++;
    if (position < 0)
        return 0;
    if (position == 0)
        pl_zero(axis, 18);
    for (int32_t c = 0; c < 3; c++, axis += 6) {
        const float v = x[c] > 16.0f ? 16.0f : x[c] < -16.0f ? -16.0f : x[c];
        const int32_t steps = (int32_t)(v * 32768.0f);
        pl_add64(axis, steps);
        pl_add64(axis + 2, (int64_t)steps * steps);
        if (position == 0 || steps < axis[4].i)
            axis[4].i = steps;
        if (position == 0 || steps > axis[5].i)
            axis[5].i = steps;
    }
    if (state[0].i < k->block)
        return 0;
    state[0].i = 0;
    state[2].i = state[2].i + 1 < k->count ? state[2].i + 1 : 0;
    if (++state[1].i < k->count)
        return 0;
    state[1].i = k->count - 1;
    int32_t still = 0;
    for (int32_t c = 0; c < 3; c++)
        still += pl_nonwear_still(k, state + 3 + 6 * c);
    y[0] = still < 2 ? 1.0f : 0.0f;
    y[1] = (float)still;
    return 1;
}

/* Drops every window that begins before the end of the gap. */
static inline uint32_t pl_nonwear_gap(const void *constants, pl_word_t *state, uint32_t lost)
{
    const pl_nonwear_t *k = (const pl_nonwear_t *)constants;
    state[0].i += state[1].i * k->block;
    state[1].i = 0;
    return pl_epoch_gap(state, k->block, lost);
}

/* Counts of a minute to asleep or awake two minutes ago, and the score. state: started, six counts, oldest first. */
static inline int32_t pl_sleep_step(const void *constants, pl_word_t *state, const float *x, float *y)
{
    const pl_sleep_t *k = (const pl_sleep_t *)constants;
    float units = x[k->column] * 0.01f;
    units = units < 0.0f ? 0.0f : units > 300.0f ? 300.0f : units;
    if (!state[0].i)
        for (int32_t i = 1; i < 7; i++)
            state[i].f = units;
    state[0].i = 1;
    float score = k->weights[0] * state[1].f;
    for (int32_t i = 1; i < 6; i++) {
        score = score + k->weights[i] * state[i + 1].f;
        state[i].f = state[i + 1].f;
    }
    score = score + k->weights[6] * units;
    state[6].f = units;
    y[0] = score < 1.0f ? 1.0f : 0.0f;
    y[1] = score;
    return 1;
}

#endif
