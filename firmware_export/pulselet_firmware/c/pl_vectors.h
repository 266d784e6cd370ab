/* Pulselet runtime: calibration, magnitude and tilt of vectors. The same arithmetic as signal/vectors.py. */
#ifndef PL_VECTORS_H
#define PL_VECTORS_H

#include "pl_math.h"
#include "pl_stage.h"

typedef struct {
    int32_t rows, channels;
    const float *matrix;         /* rows x channels */
    const float *offset;
} pl_affine_t;

typedef struct {
    int32_t channels;
} pl_magnitude_t;

typedef struct {
    float degrees;               /* in a radian */
} pl_tilt_t;

/* matrix (x - offset) */
static inline int32_t pl_affine_step(const void *constants, pl_word_t *state, const float *x, float *y)
{
    const pl_affine_t *k = (const pl_affine_t *)constants;
    (void)state;
    const float *const offset = k->offset, *gain = k->matrix;
    const int32_t channels = k->channels;
    for (int32_t r = 0; r < k->rows; r++) {
        float sum = (x[0] - offset[0]) * *gain++;
        for (int32_t c = 1; c < channels; c++)
            sum += (x[c] - offset[c]) * *gain++;
        y[r] = sum;
    }
    return 1;
}

static inline int32_t pl_magnitude_step(const void *constants, pl_word_t *state, const float *x, float *y)
{
    const pl_magnitude_t *k = (const pl_magnitude_t *)constants;
    (void)state;
    float sum = x[0] * x[0];
    for (int32_t c = 1; c < k->channels; c++)
        sum += x[c] * x[c];
    y[0] = pl_sqrtf(sum);
    return 1;
}

/* Pitch and roll. */
static inline int32_t pl_tilt_step(const void *constants, pl_word_t *state, const float *x, float *y)
{
    const pl_tilt_t *k = (const pl_tilt_t *)constants;
    (void)state;
    y[0] = pl_atan2f(-x[0], pl_sqrtf(x[1] * x[1] + x[2] * x[2])) * k->degrees;
    y[1] = pl_atan2f(x[1], x[2]) * k->degrees;
    return 1;
}

#endif
