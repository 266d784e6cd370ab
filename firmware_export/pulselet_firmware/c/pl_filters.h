/* Pulselet runtime: linear filters and what works on each sample by itself. The same arithmetic as signal/filters.py
 * and signal/scaling.py. */
#ifndef PL_FILTERS_H
#define PL_FILTERS_H

#include "pl_stage.h"

typedef struct {
    int32_t sections, channels;
    const float *coefficients;   /* sections x (b0 b1 b2 a1 a2) */
    const float *initial;        /* sections x 2: steady state for an input of 1 */
} pl_sos_t;

typedef struct {
    int32_t length, channels;
    const float *taps;           /* newest sample first */
} pl_fir_t;

typedef struct {
    int32_t channels, block;     /* samples of a block */
    float weight, keep;          /* average = weight * mean + keep * average */
} pl_drift_t;

typedef struct {
    int32_t moments, channels;
    const float *offset, *gain;
} pl_scale_t;

typedef struct {
    int32_t width;
} pl_rectify_t;

/* Filters one sample of each channel. state: started flag, then sections x 2 x channels. */
static inline int32_t pl_sos_step(const void *constants, pl_word_t *state, const float *x, float *y)
{
    const pl_sos_t *k = (const pl_sos_t *)constants;
    const int started = state[0].i;
    for (int32_t c = 0; c < k->channels; c++) {
        float v = x[c];
        for (int32_t s = 0; s < k->sections; s++) {
            const float *b = k->coefficients + 5 * s;
            float *z0 = &state[1 + 2 * s * k->channels + c].f;
            float *z1 = z0 + k->channels;
            if (!started) {
                *z0 = k->initial[2 * s] * x[c];
                *z1 = k->initial[2 * s + 1] * x[c];
            }
            const float w = b[0] * v + *z0;
            *z0 = b[1] * v - b[3] * w + *z1;
            *z1 = b[2] * v - b[4] * w;
            v = w;
        }
        y[c] = v;
    }
    state[0].i = 1;
    return 1;
}

/* Adds to sum the weighed samples of a ring, newest first. */
static inline float pl_weigh(float sum, const float *taps, const pl_word_t *ring, int32_t size, int32_t oldest)
{
    for (int32_t i = oldest - 1; i >= 0; i--)
        sum += *taps++ * ring[i].f;
    for (int32_t i = size - 1; i >= oldest; i--)
        sum += *taps++ * ring[i].f;
    return sum;
}

/* Weighs the newest samples. state: 0 or 1 + where the oldest kept sample is, then of each channel a ring. */
static inline int32_t pl_fir_step(const void *constants, pl_word_t *state, const float *x, float *y)
{
    const pl_fir_t *k = (const pl_fir_t *)constants;
    const int32_t past = k->length - 1;
    const int32_t oldest = state[0].i > 0 ? state[0].i - 1 : 0;
    for (int32_t c = 0; c < k->channels; c++) {
        pl_word_t *ring = state + 1 + c * past;
        if (state[0].i == 0)
            for (int32_t i = 0; i < past; i++)
                ring[i].f = x[c];
        y[c] = pl_weigh(k->taps[0] * x[c], k->taps + 1, ring, past, oldest);
        ring[oldest].f = x[c];
    }
    state[0].i = oldest + 1 == past ? 1 : oldest + 2;
    return 1;
}

/* Subtracts a slow average. state: started flag, samples of the block, then of each channel sum, average before, now. */
static inline int32_t pl_drift_step(const void *constants, pl_word_t *state, const float *x, float *y)
{
    const pl_drift_t *k = (const pl_drift_t *)constants;
    const int32_t started = state[0].i;
    const int32_t done = state[1].i + 1;
    const float fraction = (float)done / (float)k->block;
    for (int32_t c = 0; c < k->channels; c++) {
        pl_word_t *sum = state + 2 + 3 * c, *before = sum + 1, *now = sum + 2;
        if (!started)
            before->f = now->f = x[c];
        sum->f += x[c];
        y[c] = x[c] - (before->f + (now->f - before->f) * fraction);
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

/* (x - offset) * gain, channel by channel, at each moment of a row. */
static inline int32_t pl_scale_step(const void *constants, pl_word_t *state, const float *x, float *y)
{
    const pl_scale_t *k = (const pl_scale_t *)constants;
    (void)state;
    for (int32_t i = 0; i < k->moments; i++)
        for (int32_t c = 0; c < k->channels; c++)
            y[i * k->channels + c] = (x[i * k->channels + c] - k->offset[c]) * k->gain[c];
    return 1;
}

/* The magnitude of each value. */
static inline int32_t pl_rectify_step(const void *constants, pl_word_t *state, const float *x, float *y)
{
    const pl_rectify_t *k = (const pl_rectify_t *)constants;
    (void)state;
    for (int32_t i = 0; i < k->width; i++)
        y[i] = x[i] > 0.0f ? x[i] : 0.0f - x[i];   /* of -0, 0 */
    return 1;
}

#endif
