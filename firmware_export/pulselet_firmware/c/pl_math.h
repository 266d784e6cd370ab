/* Pulselet runtime: float32 functions without libm, the same arithmetic as signal/maths.py.
 * Any finite input gives a finite output. */
#ifndef PL_MATH_H
#define PL_MATH_H

#include "pl_stage.h"

/* The transform of n real values; quarter: cos(2 pi i / n), i = 0..n/4. */
typedef struct {
    int32_t n;
    const float *quarter;
} pl_rfft_t;

static inline int32_t pl_bits(float x)
{
    pl_word_t w;
    w.f = x;
    return w.i;
}

static inline float pl_from_bits(int32_t i)
{
    pl_word_t w;
    w.i = i;
    return w.f;
}

static inline float pl_absf(float x)
{
    return pl_from_bits(pl_bits(x) & 0x7FFFFFFF);
}

/* Correctly rounded square root of a finite x >= 0, in integers, one binary digit at a time; 0 for x <= 0. */
PL_RARE float pl_soft_sqrtf(float x)
{
    int32_t i = pl_bits(x), exponent = -127;
    if (i <= 0)
        return 0.0f;
    for (; i < 0x00800000; i <<= 1)              /* a denormal */
        exponent--;
    exponent += i >> 23;
    uint32_t rest = ((uint32_t)i & 0x007FFFFFu) | 0x00800000u;
    if (exponent & 1)
        rest <<= 1;
    exponent = (exponent - (exponent & 1)) / 2;
    uint32_t root = 0, tried = 0;                /* tried: twice the root so far */
    rest <<= 1;
    for (uint32_t digit = 0x01000000u; digit != 0; digit >>= 1) {
        if (tried + digit <= rest) {
            rest -= tried + digit;
            tried += digit + digit;
            root += digit;
        }
        rest <<= 1;
    }
    root += root & 1u;                           /* no square root of a float32 lies half-way */
    return pl_from_bits((int32_t)(root >> 1) + 0x3F000000 + exponent * 0x00800000);
}

/* Square root of x >= 0: the core's own instruction, whatever the flags say of errno, or integers. */
static inline float pl_sqrtf(float x)
{
#if defined(PL_SOFT_SQRT) || !defined(__GNUC__)
    return pl_soft_sqrtf(x);
#elif defined(__ARM_FP) && (__ARM_FP & 4) && !defined(__aarch64__)
    float y;
    __asm__("vsqrt.f32 %0, %1" : "=t"(y) : "t"(x));
    return y;
#elif defined(__aarch64__)
    float y;
    __asm__("fsqrt %s0, %s1" : "=w"(y) : "w"(x));
    return y;
#elif defined(__SSE__)
    float y;
    __asm__("sqrtss %1, %0" : "=x"(y) : "x"(x));
    return y;
#elif defined(__riscv_flen)
    float y;
    __asm__("fsqrt.s %0, %1" : "=f"(y) : "f"(x));
    return y;
#else
    return pl_soft_sqrtf(x);
#endif
}

/* Nearest integer, halves away from 0. */
static inline int32_t pl_roundf(float x)
{
    return (int32_t)(x + (x < 0.0f ? -0.5f : 0.5f));
}

static inline float pl_power_of_two(int32_t n)
{
    return pl_from_bits((n + 127) * 0x00800000);
}

/* 0 below -104, no more than 3.4e38 above 88.7228; error below 1 unit in the last place. */
PL_RARE float pl_expf(float x)
{
    const float v = x < -104.0f ? -104.0f : x > 88.7228f ? 88.7228f : x;
    const int32_t n = pl_roundf(v * 1.442695f);
    const float f = (float)n;
    const float r = (v - f * 0.693359375f) - f * -2.1219444e-4f;
    float p = 0.0013950524f;
    p = p * r + 0.008368908f;
    p = p * r + 0.041666206f;
    p = p * r + 0.16666518f;
    p = p * r + 0.5f;
    p = (p * r * r + r) + 1.0f;
    const int32_t half = (n + 256) / 2 - 128;    /* in two steps, for denormal results */
    return (p * pl_power_of_two(half)) * pl_power_of_two(n - half);
}

/* Natural logarithm; -104 for x <= 0. */
PL_RARE float pl_logf(float x)
{
    int32_t n = 0;
    if (!(x > 0.0f))
        return -104.0f;
    if (x < 1.17549435e-38f) {
        x *= 8388608.0f;
        n = -23;
    }
    const int32_t bits = pl_bits(x) - 0x3F3504F3;
    n += (bits + 0x3F800000) / 0x00800000 - 127; /* rounds down */
    const float f = pl_from_bits((bits & 0x007FFFFF) + 0x3F3504F3) - 1.0f;
    const float s = f / (2.0f + f);
    const float z = s * s, half = 0.5f * f * f, e = (float)n;
    float p = 0.22222222f;
    p = p * z + 0.2857143f;
    p = p * z + 0.4f;
    p = p * z + 0.6666667f;
    const float low = s * (half + z * p) + e * -2.1219444e-4f;
    return e * 0.693359375f - ((half - low) - f);
}

/* Sine of x plus `quarters` quarter turns; an angle beyond 12800 counts as 0. */
PL_RARE float pl_sine(float x, int32_t quarters)
{
    const float v = pl_absf(x) <= 12800.0f ? x : 0.0f;
    const int32_t n = pl_roundf(v * 0.63661975f);
    const float f = (float)n;
    const float r = ((v - f * 1.5703125f) - f * 4.8351288e-4f) - f * 3.1391647e-7f;
    const float z = r * r;
    float y;
    quarters += n;
    if (quarters & 1) {
        y = (2.443845e-05f * z + -0.0013887368f) * z + 0.041666646f;
        y = (1.0f - 0.5f * z) + y * z * z;
    } else {
        y = (-0.00019517298f * z + 0.008332178f) * z + -0.16666655f;
        y = y * z * r + r;
    }
    return quarters & 2 ? -y : y;
}

static inline float pl_sinf(float x)
{
    return pl_sine(x, 0);
}

static inline float pl_cosf(float x)
{
    return pl_sine(x, 1);
}

/* Angle of the point (x, y), -pi..pi; 0 at the origin; a zero has no sign, a slope below 2.5e-38 is 0. */
PL_RARE float pl_atan2f(float y, float x)
{
    const float a = pl_absf(y), b = pl_absf(x);
    const float most = a > b ? a : b, least = a > b ? b : a;
    float t = least / (most > 0.0f ? most : 1.0f);
    if (t < 2.5e-38f)
        t = 0.0f;
    const int wide = t > 0.41421357f;
    if (wide)
        t = (t - 1.0f) / (t + 1.0f);
    const float z = t * t;
    float p = 0.080603056f;
    p = p * z + -0.13879849f;
    p = p * z + 0.19977926f;
    p = p * z + -0.33332956f;
    float angle = p * z * t + t;
    if (wide)
        angle = (angle + 0.25f * -8.742278e-8f) + 0.25f * 3.1415927f;
    if (a > b)
        angle = (0.5f * -8.742278e-8f - angle) + 0.5f * 3.1415927f;
    if (x < 0.0f)
        angle = (-8.742278e-8f - angle) + 3.1415927f;
    return y < 0.0f ? -angle : angle;
}

/* Sum of n values, the second half added to the first until one is left; destroys x. */
PL_RARE float pl_fold_sum(float *x, int32_t n)
{
    if (n <= 0)
        return 0.0f;
    while (n > 1) {
        const int32_t h = (n + 1) / 2;
        for (int32_t i = 0; i < n - h; i++)
            x[i] += x[h + i];
        n = h;
    }
    return x[0];
}

/* Cosine and sine of 2 pi j / n, 0 <= j < n / 2. */
static inline void pl_rfft_turn(const pl_rfft_t *k, int32_t j, float *c, float *s)
{
    const int32_t q = k->n / 4;
    *c = j <= q ? k->quarter[j] : -k->quarter[2 * q - j];
    *s = j <= q ? k->quarter[q - j] : k->quarter[j - q];
}

static inline void pl_rfft_reverse(float *x, int32_t half)
{
    for (int32_t i = 1, j = 0; i < half; i++) {
        int32_t bit = half / 2;
        for (; j & bit; bit /= 2)
            j ^= bit;
        j ^= bit;
        if (i < j) {
            const float re = x[2 * i], im = x[2 * i + 1];
            x[2 * i] = x[2 * j];
            x[2 * i + 1] = x[2 * j + 1];
            x[2 * j] = re;
            x[2 * j + 1] = im;
        }
    }
}

static inline void pl_rfft_complex(const pl_rfft_t *k, float *x)
{
    const int32_t n = k->n;
    pl_rfft_reverse(x, n / 2);
    for (int32_t m = 2; m < n; m *= 2) {         /* floats between the two of a butterfly */
        for (int32_t i = 0; i < m; i += 2) {
            float c, s;
            pl_rfft_turn(k, i / 2 * (n / m), &c, &s);
            for (int32_t j = i; j < n; j += 2 * m) {
                float *a = x + j, *b = a + m;
                float re = b[0], im = b[1];
                if (m > 2) {
                    re = c * b[0] + s * b[1];
                    im = c * b[1] - s * b[0];
                }
                b[0] = a[0] - re;
                b[1] = a[1] - im;
                a[0] += re;
                a[1] += im;
            }
        }
    }
}

/* Transforms n real values in place into X[0], X[n/2], then real and imaginary part of X[1], X[2], ..., X[n/2 - 1]. */
PL_RARE void pl_rfft(const pl_rfft_t *k, float *x)
{
    const int32_t n = k->n;
    pl_rfft_complex(k, x);
    const float first = x[0];
    x[0] = first + x[1];
    x[1] = first - x[1];
    x[n / 2 + 1] = -x[n / 2 + 1];
    for (int32_t i = 1; i < n / 4; i++) {
        float *a = x + 2 * i, *b = x + n - 2 * i, c, s;
        pl_rfft_turn(k, i, &c, &s);
        const float even_re = 0.5f * (a[0] + b[0]), even_im = 0.5f * (a[1] - b[1]);
        const float odd_re = 0.5f * (a[1] + b[1]), odd_im = 0.5f * (b[0] - a[0]);
        const float re = c * odd_re + s * odd_im, im = c * odd_im - s * odd_re;
        a[0] = even_re + re;
        a[1] = even_im + im;
        b[0] = even_re - re;
        b[1] = im - even_im;
    }
}

/* Replaces n real values by the n/2 + 1 squared magnitudes of their transform. */
static inline void pl_rfft_power(const pl_rfft_t *k, float *x)
{
    const int32_t half = k->n / 2;
    pl_rfft(k, x);
    const float last = x[1] * x[1];
    x[0] *= x[0];
    for (int32_t i = 1; i < half; i++)
        x[i] = x[2 * i] * x[2 * i] + x[2 * i + 1] * x[2 * i + 1];
    x[half] = last;
}

#endif
