/* Pulselet runtime: marks for samples at the rails, or flat. The same arithmetic as signal/marking.py. */
#ifndef PL_MARKING_H
#define PL_MARKING_H

#include "pl_stage.h"

typedef struct {
    int32_t channels;
    int32_t alone;               /* 1: the mark only */
    float low, high;
} pl_saturation_t;

typedef struct {
    int32_t length, channels, alone;
    float tolerance;
} pl_flat_t;

static inline int32_t pl_mark(int32_t channels, int32_t alone, const float *x, float *y, int32_t mark)
{
    if (alone)
        channels = 0;
    for (int32_t c = 0; c < channels; c++)
        y[c] = x[c];
    y[channels] = (float)mark;
    return 1;
}

static inline int32_t pl_saturation_step(const void *constants, pl_word_t *state, const float *x, float *y)
{
    const pl_saturation_t *k = (const pl_saturation_t *)constants;
    int32_t mark = 0;
    (void)state;
    for (int32_t c = 0; c < k->channels; c++)
        if (x[c] <= k->low || x[c] >= k->high)
            mark = 1;
    return pl_mark(k->channels, k->alone, x, y, mark);
}

static inline float pl_larger(float a, float b)
{
    return a < b ? b : a;
}

/* state: place in the block, samples seen; then of each channel the largest and the least of the block so far, and
 * twice length words: samples of this block, after them the largest (least) from there to the end of the block before.
 * What is least is kept with its sign turned, as a largest. */
static inline int32_t pl_flat_step(const void *constants, pl_word_t *state, const float *x, float *y)
{
    const pl_flat_t *k = (const pl_flat_t *)constants;
    const int32_t n = k->length, at = state[0].i;
    int32_t mark = 0;
    for (int32_t c = 0; c < k->channels; c++) {
        float edge[2];
        for (int32_t side = 0; side < 2; side++) {
            pl_word_t *most = state + 2 + (2 * c + side) * (n + 1), *kept = most + 1;
            const float v = side ? -x[c] : x[c];
            if (state[1].i == 0)
                for (int32_t i = 0; i < n; i++)
                    kept[i].f = v;
            most->f = at == 0 ? v : pl_larger(most->f, v);
            kept[at].f = v;
            edge[side] = at + 1 < n ? pl_larger(most->f, kept[at + 1].f) : most->f;
            if (at + 1 == n)
                for (int32_t i = n - 2; i >= 0; i--)
                    kept[i].f = pl_larger(kept[i].f, kept[i + 1].f);
        }
        if (edge[0] + edge[1] <= k->tolerance)
            mark = 1;
    }
    if (state[1].i < n)
        state[1].i++;
    state[0].i = at + 1 == n ? 0 : at + 1;
    return pl_mark(k->channels, k->alone, x, y, mark && state[1].i == n);
}

#endif
