/* Pulselet runtime: moving averages and medians, a slow average to subtract, windows scaled by themselves. The same arithmetic as
 * signal/averages.py and signal/scaling.py. */
#ifndef PL_AVERAGES_H
#define PL_AVERAGES_H

#include "pl_math.h"
#include "pl_stage.h"

typedef struct {
    int32_t length, channels;
} pl_moving_average_t;

typedef struct {
    int32_t length, channels;    /* length is odd */
} pl_moving_median_t;

typedef struct {
    int32_t groups, size;        /* scaled by themselves, values of each */
    float least;
} pl_window_scale_t;

typedef struct {
    int32_t channels, block;     /* samples of a block */
    float weight, keep;          /* average = weight * mean + keep * average */
} pl_drift_t;

/* state: place in the block, started flag, running sums, then length x channels: samples of this block, after them the
 * sums from there to the end of the block before. Once in a block, it makes those sums for all of it. */
static inline int32_t pl_moving_average_step(const void *constants, pl_word_t *state, const float *x, float *y)
{
    const pl_moving_average_t *k = (const pl_moving_average_t *)constants;
    const int32_t n = k->length, channels = k->channels, at = state[0].i;
    for (int32_t c = 0; c < channels; c++) {
        pl_word_t *sum = state + 2 + c, *kept = sum + channels;
        if (!state[1].i)
            for (int32_t i = 0; i < n; i++)
                kept[i * channels].f = (float)(n - i) * x[c];
        sum->f = at == 0 ? x[c] : sum->f + x[c];
        kept[at * channels].f = x[c];
        y[c] = (at + 1 < n ? sum->f + kept[(at + 1) * channels].f : sum->f) / (float)n;
        if (at + 1 == n)
            for (int32_t i = n - 2; i >= 0; i--)
                kept[i * channels].f = kept[(i + 1) * channels].f + kept[i * channels].f;
    }
    state[0].i = at + 1 == n ? 0 : at + 1;
    state[1].i = 1;
    return 1;
}

/* state: 0 or 1 + where the oldest sample is; then of each channel a ring of the window, and the window sorted. */
static inline int32_t pl_moving_median_step(const void *constants, pl_word_t *state, const float *x, float *y)
{
    const pl_moving_median_t *k = (const pl_moving_median_t *)constants;
    const int32_t n = k->length, oldest = state[0].i > 0 ? state[0].i - 1 : 0;
    for (int32_t c = 0; c < k->channels; c++) {
        pl_word_t *ring = state + 1 + 2 * n * c, *sorted = ring + n;
        const float v = x[c] + 0.0f;             /* no -0 */
        if (state[0].i == 0)
            for (int32_t i = 0; i < n; i++)
                ring[i].f = sorted[i].f = v;
        const float old = ring[oldest].f;
        int32_t i = 0;
        ring[oldest].f = v;
        while (sorted[i].f < old)
            i++;
        for (; i + 1 < n && sorted[i + 1].f < v; i++)
            sorted[i].f = sorted[i + 1].f;
        for (; i > 0 && sorted[i - 1].f > v; i--)
            sorted[i].f = sorted[i - 1].f;
        sorted[i].f = v;
        y[c] = sorted[n / 2].f;
    }
    state[0].i = oldest + 1 == n ? 1 : oldest + 2;
    return 1;
}

/* Subtracts a slow average. state: started flag, samples of the block; then of each channel the first sample, from which
 * all is counted, sum of the block, average before, average now. */
static inline int32_t pl_drift_step(const void *constants, pl_word_t *state, const float *x, float *y)
{
    const pl_drift_t *k = (const pl_drift_t *)constants;
    const int32_t started = state[0].i;
    const int32_t done = state[1].i + 1;
    const float fraction = (float)done / (float)k->block;
    for (int32_t c = 0; c < k->channels; c++) {
        pl_word_t *first = state + 2 + 4 * c, *sum = first + 1, *before = first + 2, *now = first + 3;
        if (!started)
            first->f = x[c];
        const float v = x[c] - first->f;
        sum->f += v;
        y[c] = v - (before->f + (now->f - before->f) * fraction);
        if (done == k->block) {
            before->f = now->f;
            now->f = k->weight * (sum->f / (float)k->block) + k->keep * now->f + 0.0f;
            sum->f = 0.0f;
        }
    }
    state[0].i = 1;
    state[1].i = done == k->block ? 0 : done;
    return 1;
}

/* Each group of a window less its mean, over its standard deviation. state: room for a group. */
static inline int32_t pl_window_scale_step(const void *constants, pl_word_t *state, const float *x, float *y)
{
    const pl_window_scale_t *k = (const pl_window_scale_t *)constants;
    const float size = (float)k->size;
    float *room = &state[0].f;
    for (int32_t g = 0; g < k->groups; g++) {
        for (int32_t i = 0; i < k->size; i++)
            room[i] = x[i * k->groups + g];
        const float mean = pl_fold_sum(room, k->size) / size;
        for (int32_t i = 0; i < k->size; i++) {
            const float v = x[i * k->groups + g] - mean;
            y[i * k->groups + g] = v;
            room[i] = v * v;
        }
        const float std = pl_sqrtf(pl_fold_sum(room, k->size) / size);
        const float over = std > k->least ? std : k->least;
        for (int32_t i = 0; i < k->size; i++)
            y[i * k->groups + g] /= over;
    }
    return 1;
}

#endif
