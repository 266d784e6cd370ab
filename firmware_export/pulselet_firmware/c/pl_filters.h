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
    int32_t moments, channels;
    const float *offset, *gain;
} pl_scale_t;

typedef struct {
    int32_t width;
} pl_rectify_t;

/* Sets the state that a first sample would have if it had been there for ever. */
PL_RARE void pl_sos_start(const pl_sos_t *k, pl_word_t *state, const float *x)
{
    for (int32_t i = 0; i < 2 * k->sections; i++)
        for (int32_t c = 0; c < k->channels; c++)
            state[1 + i * k->channels + c].f = k->initial[i] * x[c];
    state[0].i = 1;
}

/* Filters one sample of each channel. state: started flag, then sections x 2 x channels. */
static inline int32_t pl_sos_step(const void *constants, pl_word_t *state, const float *x, float *y)
{
    const pl_sos_t *k = (const pl_sos_t *)constants;
    const int32_t channels = k->channels;
    if (!state[0].i)
        pl_sos_start(k, state, x);
    for (int32_t c = 0; c < channels; c++) {
        const float *b = k->coefficients;
        pl_word_t *z = state + 1 + c;
        float v = x[c];
        for (int32_t s = k->sections; s > 0; s--) {
            const float w = b[0] * v + z[0].f;
            z[0].f = b[1] * v - b[3] * w + z[channels].f;
            z[channels].f = b[2] * v - b[4] * w;
            v = w;
            b += 5;
            z += 2 * channels;
        }
        y[c] = v;
    }
    return 1;
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
        float sum = k->taps[0] * x[c];
        int32_t at = oldest;
        for (int32_t i = 1; i <= past; i++) {
            at = at == 0 ? past - 1 : at - 1;
            sum += k->taps[i] * ring[at].f;
        }
        y[c] = sum;
        ring[oldest].f = x[c];
    }
    state[0].i = oldest + 1 == past ? 1 : oldest + 2;
    return 1;
}

/* (x - offset) * gain, channel by channel, at each moment of a row. */
static inline int32_t pl_scale_step(const void *constants, pl_word_t *state, const float *x, float *y)
{
    const pl_scale_t *k = (const pl_scale_t *)constants;
    (void)state;
    const float *const offset = k->offset, *const gain = k->gain;
    const int32_t channels = k->channels;
    for (int32_t i = k->moments; i > 0; i--)
        for (int32_t c = 0; c < channels; c++)
            *y++ = (*x++ - offset[c]) * gain[c];
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
