/* Pulselet runtime: ENMO, posture angles, impacts. The same arithmetic as signal/motion.py; acceleration in g. */
#ifndef PL_MOTION_H
#define PL_MOTION_H

#include "pl_filters.h"
#include "pl_math.h"

#define PL_SINCE_MOST 16777216    /* float32 holds every whole number up to here */

typedef struct {
    int32_t axes;
} pl_enmo_t;

typedef struct {
    int32_t length;              /* samples in an epoch */
    float scale;                 /* from steps of 2^-16 g to the mean */
} pl_enmo_epoch_t;

typedef struct {
    const pl_sos_t *smooth;
    float degrees;               /* in a radian */
} pl_posture_t;

typedef struct {
    float free_fall_g, impact_g, rest_g, period_s;
    int32_t shortest, within, settle;    /* samples */
} pl_impact_t;

static inline float pl_norm3(const float *x)
{
    return pl_sqrtf((x[0] * x[0] + x[1] * x[1]) + x[2] * x[2]);
}

static inline float pl_norm_minus_one(const float *x)
{
    const float v = pl_norm3(x) - 1.0f;
    return v > 0.0f ? v : 0.0f;
}

/* Moves a position over a gap to the beginning of the next whole epoch, 0 or less; returns the epochs lost. */
static inline uint32_t pl_epoch_gap(pl_word_t *position, int32_t length, uint32_t lost)
{
    const int32_t end = position->i + (int32_t)lost;
    const int32_t dropped = end > 0 ? (end - 1) / length + 1 : 0;
    position->i = end - dropped * length;
    return (uint32_t)dropped;
}

static inline int32_t pl_enmo_step(const void *constants, pl_word_t *state, const float *x, float *y)
{
    (void)constants;
    (void)state;
    y[0] = pl_norm_minus_one(x);
    return 1;
}

/* state: position, low and high word of the sum. */
static inline int32_t pl_enmo_epoch_step(const void *constants, pl_word_t *state, const float *x, float *y)
{
    const pl_enmo_epoch_t *k = (const pl_enmo_epoch_t *)constants;
    if (state[0].i++ < 0)
        return 0;
    const float v = pl_norm_minus_one(x);
    const uint32_t steps = (uint32_t)((v < 2048.0f ? v : 2048.0f) * 65536.0f + 0.5f);
    const uint32_t low = (uint32_t)state[1].i + steps;
    state[2].i += low < steps;
    state[1].i = (int32_t)low;
    if (state[0].i < k->length)
        return 0;
    y[0] = ((float)state[2].i * 4294967296.0f + (float)low) * k->scale;
    pl_zero(state, 3);
    return 1;
}

static inline uint32_t pl_enmo_epoch_gap(const void *constants, pl_word_t *state, uint32_t lost)
{
    const pl_enmo_epoch_t *k = (const pl_enmo_epoch_t *)constants;
    pl_zero(state + 1, 2);
    return pl_epoch_gap(state, k->length, lost);
}

/* x, y, z to pitch, roll, inclination. state: of the low-pass. */
static inline int32_t pl_posture_step(const void *constants, pl_word_t *state, const float *x, float *y)
{
    const pl_posture_t *k = (const pl_posture_t *)constants;
    float a[3];
    pl_sos_step(k->smooth, state, x, a);
    const float aa = a[0] * a[0], bb = a[1] * a[1], cc = a[2] * a[2];
    y[0] = pl_atan2f(-a[0], pl_sqrtf(bb + cc)) * k->degrees;
    y[1] = pl_atan2f(a[1], a[2]) * k->degrees;
    y[2] = pl_atan2f(pl_sqrtf(aa + bb), a[2]) * k->degrees;
    return 1;
}

static inline int32_t pl_since_more(int32_t since, int32_t more)
{
    return since < PL_SINCE_MOST - more ? since + more : PL_SINCE_MOST;
}

/* state: since, something lost, run below the threshold, last fall, samples left to an impact, samples left after it,
 * since at the impact, peak, moved. */
static inline int32_t pl_impact_step(const void *constants, pl_word_t *state, const float *x, float *y)
{
    const pl_impact_t *k = (const pl_impact_t *)constants;
    const float size = pl_norm3(x);
    if (state[5].i == 0) {
        if (size < k->free_fall_g) {
            state[2].i = pl_since_more(state[2].i, 1);
        } else {
            if (state[2].i >= k->shortest) {
                state[3].i = state[2].i;
                state[4].i = k->within;
            }
            state[2].i = 0;
        }
        if (!(state[4].i > 0 && size >= k->impact_g)) {
            state[4].i -= state[4].i > 0;
            state[0].i = pl_since_more(state[0].i, 1);
            return 0;
        }
        state[4].i = 0;
        state[5].i = k->settle;
        state[6].i = state[0].i;
        state[0].i = 0;
        state[7].f = 0.0f;
        state[8].i = 0;
    }
    if (size > state[7].f)
        state[7].f = size;
    if (pl_absf(size - 1.0f) > k->rest_g)
        state[8].i = k->settle - state[5].i + 1;
    state[0].i = pl_since_more(state[0].i, 1);
    if (--state[5].i)
        return 0;
    y[0] = (float)state[6].i;
    y[1] = state[7].f;
    y[2] = (float)state[3].i * k->period_s;
    y[3] = (float)state[8].i * k->period_s;
    y[4] = state[1].i ? 0.0f : 1.0f;
    pl_zero(state + 1, 8);
    return 1;
}

/* Goes on counting; what was being looked at is lost. */
static inline uint32_t pl_impact_gap(const void *constants, pl_word_t *state, uint32_t lost)
{
    const int32_t since = pl_since_more(state[0].i, state[5].i ? state[6].i : 0);
    (void)constants;
    pl_zero(state, 9);
    state[0].i = pl_since_more(since, lost < PL_SINCE_MOST ? (int32_t)lost : PL_SINCE_MOST);
    state[1].i = 1;
    return 0u;
}

#endif
