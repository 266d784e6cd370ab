/* Pulselet runtime: activity counts (Neishabouri et al. 2022). The same arithmetic as signal/activity.py.
 *
 * A count is a float64 rounded down, so the float64 operations are done here, in integers: round to nearest even, like
 * IEEE 754, except that what is below the smallest normal number is 0 (such values never reach a count). */
#ifndef PL_ACTIVITY_H
#define PL_ACTIVITY_H

#include "pl_math.h"

typedef uint64_t pl_f64_t;       /* the bits of a float64 */

#define PL_COUNT_AXES 3

typedef struct {
    int32_t route;               /* to 30 Hz: 0 decimates, 1 triples and smooths, 2 goes over 256 Hz */
    int32_t length;              /* samples in an epoch */
    int32_t factor;              /* route 0, 1: values for each one taken; 2: 256 Hz over the rate */
    int32_t tail;                /* samples after an epoch's end that its last value waits for */
    const int32_t *front;        /* float64; route 1: gain, feedback; 2: scale, gain, feedback, 1/15 */
    const int32_t *band;         /* float64: b0..b7, -a1..-a7, steady state x 7, counts per g, 1000 */
    const int32_t *taps;         /* route 2: the first half of 255, in millionths */
} pl_counts_t;

/* Rounds m x 2^(e - 1085), e.g. bit 62 set for a normal number of exponent e. */
PL_RARE pl_f64_t pl_f64_pack(pl_f64_t sign, int32_t e, uint64_t m)
{
    if (m == 0)
        return sign;
    if (m >> 63) {
        m = (m >> 1) | (m & 1u);
        e++;
    }
#if defined(__GNUC__)
    const int32_t shift = __builtin_clzll(m) - 1;
    m <<= shift;
    e -= shift;
#else
    for (; !(m >> 62); m <<= 1)
        e--;
#endif
    const uint64_t rest = m & 0x3FFu;
    m >>= 10;
    m += (rest > 0x200u || (rest == 0x200u && (m & 1u))) ? 1u : 0u;
    if (e < 1)
        return sign;
    return sign | ((((uint64_t)e - 1u) << 52) + m);
}

static inline int32_t pl_f64_exponent(pl_f64_t a)
{
    return (int32_t)(a >> 52) & 0x7FF;
}

static inline uint64_t pl_f64_mantissa(pl_f64_t a)
{
    return pl_f64_exponent(a) ? (a & 0x000FFFFFFFFFFFFFu) | 0x0010000000000000u : 0u;
}

#define PL_F64_SIGN 0x8000000000000000u

PL_RARE pl_f64_t pl_f64_add(pl_f64_t a, pl_f64_t b)
{
    if ((a & ~PL_F64_SIGN) < (b & ~PL_F64_SIGN)) {
        const pl_f64_t c = a;
        a = b;
        b = c;
    }
    const int32_t e = pl_f64_exponent(a), shift = e - pl_f64_exponent(b);
    const uint64_t ma = pl_f64_mantissa(a) << 10;
    uint64_t mb = pl_f64_mantissa(b) << 10;
    if (shift > 63)
        mb = mb != 0;
    else if (shift > 0)
        mb = (mb >> shift) | ((mb << (64 - shift)) != 0);
    const uint64_t m = (a ^ b) & PL_F64_SIGN ? ma - mb : ma + mb;
    return m ? pl_f64_pack(a & PL_F64_SIGN, e, m) : 0u;
}

PL_RARE pl_f64_t pl_f64_mul(pl_f64_t a, pl_f64_t b)
{
    const uint64_t ma = pl_f64_mantissa(a) << 11, mb = pl_f64_mantissa(b) << 10;
    const uint32_t a0 = (uint32_t)ma, a1 = (uint32_t)(ma >> 32), b0 = (uint32_t)mb, b1 = (uint32_t)(mb >> 32);
    const uint64_t low = (uint64_t)a0 * b0;
    const uint64_t x = (uint64_t)a1 * b0 + (low >> 32);
    const uint64_t y = (uint64_t)a0 * b1 + (uint32_t)x;
    const uint64_t high = (uint64_t)a1 * b1 + (x >> 32) + (y >> 32);
    const uint32_t lost = (uint32_t)y | (uint32_t)low;
    return pl_f64_pack((a ^ b) & PL_F64_SIGN, pl_f64_exponent(a) + pl_f64_exponent(b) - 1022, high | (lost != 0));
}

static inline pl_f64_t pl_f64_from_int(int64_t i)
{
    return pl_f64_pack(i < 0 ? PL_F64_SIGN : 0u, 1075, (uint64_t)(i < 0 ? -i : i) << 10);
}

/* A denormal x counts as 0. */
static inline pl_f64_t pl_f64_from_float(float x)
{
    const uint32_t w = (uint32_t)pl_bits(x), e = (w >> 23) & 0xFFu;
    if (e == 0)
        return 0u;
    return ((uint64_t)(w >> 31) << 63) + ((uint64_t)(e + 896u) << 52) + ((uint64_t)(w & 0x007FFFFFu) << 29);
}

/* Rounds to a whole number, halves to even, and divides by 1000; |a| < 2^52. */
PL_RARE pl_f64_t pl_f64_thousandths(pl_f64_t a)
{
    const int32_t shift = 1075 - pl_f64_exponent(a);
    uint64_t m = pl_f64_mantissa(a);
    if (shift > 53)
        m = 0;
    else if (shift > 0) {
        const uint64_t rest = m << (64 - shift), half = PL_F64_SIGN;
        m >>= shift;
        m += (rest > half || (rest == half && (m & 1u))) ? 1u : 0u;
    }
    if (m == 0)
        return a & PL_F64_SIGN;
    const pl_f64_t whole = pl_f64_from_int((int64_t)m);
    const int32_t e = pl_f64_exponent(whole) - 11;
    m = pl_f64_mantissa(whole) << 11;
    uint64_t quotient = 0;
    uint32_t left = 0;
    for (int32_t i = 48; i >= 0; i -= 16) {      /* 16 bits at a time: a core divides 32 by 32 */
        left = (left << 16) | (uint32_t)((m >> i) & 0xFFFFu);
        quotient = (quotient << 16) | (left / 1000u);
        left %= 1000u;
    }
    /* 54 or 55 bits of quotient, and the rest as a sticky bit below them */
    return pl_f64_pack(a & PL_F64_SIGN, e + 2, (quotient << 8) | (left != 0));
}

static inline pl_f64_t pl_f64_table(const int32_t *words, int32_t i)
{
    return (uint64_t)(uint32_t)words[2 * i] | ((uint64_t)(uint32_t)words[2 * i + 1] << 32);
}

static inline pl_f64_t pl_f64_get(const pl_word_t *words)
{
    return (uint64_t)(uint32_t)words[0].i | ((uint64_t)(uint32_t)words[1].i << 32);
}

static inline void pl_f64_put(pl_word_t *words, pl_f64_t a)
{
    words[0].i = (int32_t)(uint32_t)a;
    words[1].i = (int32_t)(uint32_t)(a >> 32);
}

/* state: position, age, started, sums of up to 3 values at 30 Hz, sums at 10 Hz, band-pass, front. */
enum { PL_COUNT_THREE = 3, PL_COUNT_SUMS = 6, PL_COUNT_BAND = 9, PL_COUNT_FRONT = 51 };

/* One value of an axis at 30 Hz, through the band-pass to a whole number from 0 to 128. */
PL_RARE int32_t pl_count_value(const pl_counts_t *k, pl_word_t *z, int32_t started, pl_f64_t value)
{
    const pl_f64_t x = pl_f64_thousandths(pl_f64_mul(value, pl_f64_table(k->band, 23)));
    if (!started)
        for (int32_t i = 0; i < 7; i++)
            pl_f64_put(z + 2 * i, pl_f64_mul(pl_f64_table(k->band, 15 + i), x));
    const pl_f64_t y = pl_f64_add(pl_f64_get(z), pl_f64_mul(pl_f64_table(k->band, 0), x));
    for (int32_t i = 0; i < 7; i++) {
        pl_f64_t next = pl_f64_mul(pl_f64_table(k->band, i + 1), x);
        if (i < 6)
            next = pl_f64_add(pl_f64_get(z + 2 * i + 2), next);
        pl_f64_put(z + 2 * i, pl_f64_add(next, pl_f64_mul(pl_f64_table(k->band, 8 + i), y)));
    }
    const pl_f64_t size = pl_f64_mul(pl_f64_table(k->band, 22), y) & ~PL_F64_SIGN;
    const int32_t e = pl_f64_exponent(size);
    if (e < 1025)                                /* below 4 */
        return 0;
    return e > 1029 ? 128 : (int32_t)(pl_f64_mantissa(size) >> (1075 - e));
}

/* The three axes of value `number` at 30 Hz; a negative number is before the epoch. */
static inline void pl_count_row(const pl_counts_t *k, pl_word_t *state, int32_t number, const pl_f64_t *value)
{
    for (int32_t c = 0; c < PL_COUNT_AXES; c++) {
        const int32_t found = pl_count_value(k, state + PL_COUNT_BAND + 14 * c, state[2].i, value[c]);
        if (number < 0)
            continue;
        state[PL_COUNT_THREE + c].i += found;
        if (number % 3 == 2) {
            state[PL_COUNT_SUMS + c].i += state[PL_COUNT_THREE + c].i / 3;
            state[PL_COUNT_THREE + c].i = 0;
        }
    }
    state[2].i = 1;
}

static inline void pl_count_decimated(const pl_counts_t *k, pl_word_t *state, const float *x)
{
    const int32_t at = state[0].i;
    if ((at + k->length) % k->factor != 0)
        return;
    pl_f64_t value[PL_COUNT_AXES];
    for (int32_t c = 0; c < PL_COUNT_AXES; c++)
        value[c] = pl_f64_from_float(x[c]);
    pl_count_row(k, state, at < 0 ? -1 : at / k->factor, value);
}

static inline void pl_count_tripled(const pl_counts_t *k, pl_word_t *state, const float *x)
{
    const pl_f64_t gain = pl_f64_table(k->front, 0), back = pl_f64_table(k->front, 1);
    pl_f64_t value[PL_COUNT_AXES];
    for (int32_t phase = 0; phase < 3; phase++) {
        for (int32_t c = 0; c < PL_COUNT_AXES; c++) {
            pl_word_t *z = state + PL_COUNT_FRONT + 2 * c;
            pl_f64_t in = 0u, y = pl_f64_get(z);
            if (phase == 0) {
                in = pl_f64_mul(gain, pl_f64_mul(pl_f64_from_float(x[c]), 0x4008000000000000u));
                y = pl_f64_add(y, in);
            }
            pl_f64_put(z, pl_f64_add(in, pl_f64_mul(back, y)));
            value[c] = y;
        }
        const int32_t at = 3 * state[0].i + phase;
        if ((at + 3 * k->length) % k->factor == 0)
            pl_count_row(k, state, at < 0 ? -1 : at / k->factor, value);
    }
}

/* The sum over samples and taps of one of the values at 256 Hz. */
static inline int64_t pl_count_sum(const pl_counts_t *k, const pl_word_t *ring, int32_t newest, int32_t phase)
{
    const int32_t length = 256 / k->factor;
    int64_t sum = 0;
    int32_t at = newest;
    for (int32_t d = phase; d < 255; d += k->factor) {
        sum += (int64_t)ring[at].i * k->taps[d <= 127 ? d : 254 - d];
        at = at > 0 ? at - 1 : length - 1;
    }
    return sum;
}

static inline void pl_count_interpolated(const pl_counts_t *k, pl_word_t *state, const float *x)
{
    const int32_t length = 256 / k->factor, age = state[1].i;
    /* the place in the ring goes with the position: both move by one */
    const int32_t newest = (int32_t)((uint32_t)(state[0].i + k->length) % (uint32_t)length);
    pl_word_t *before = state + PL_COUNT_FRONT, *ring = before + 2 * PL_COUNT_AXES;
    pl_f64_t value[PL_COUNT_AXES];
    for (int32_t c = 0; c < PL_COUNT_AXES; c++) {
        const float v = x[c] > 127.0f ? 127.0f : x[c] < -127.0f ? -127.0f : x[c];
        ring[c * length + newest].i = (int32_t)(v * 16777216.0f);
    }
    for (int32_t phase = 0; phase < k->factor; phase++) {
        if (k->factor * age - 127 + phase < 0)
            continue;
        const int32_t fine = 15 * (k->factor * state[0].i - 127 + phase + 1);
        const int32_t rest = fine & 127;
        const pl_f64_t part = pl_f64_mul(pl_f64_from_int(rest), pl_f64_table(k->front, 3));
        for (int32_t c = 0; c < PL_COUNT_AXES; c++) {
            const pl_f64_t level = pl_f64_mul(pl_f64_from_int(pl_count_sum(k, ring + c * length, newest, phase)),
                                              pl_f64_table(k->front, 0));
            const pl_f64_t old = k->factor * age - 127 + phase == 0 ? level : pl_f64_get(before + 2 * c);
            const pl_f64_t y = pl_f64_add(pl_f64_mul(pl_f64_table(k->front, 2), old),
                                          pl_f64_mul(pl_f64_table(k->front, 1), level));
            pl_f64_put(before + 2 * c, y);
            if (rest < 15)
                value[c] = pl_f64_add(y, pl_f64_mul(part, pl_f64_add(old, y ^ PL_F64_SIGN)));
        }
        if (rest < 15)
            pl_count_row(k, state, fine < 128 ? -1 : fine / 128 - 1, value);
    }
}

/* Takes one sample of three axes in g; gives the counts of an epoch when it is complete. */
static inline int32_t pl_counts_step(const void *constants, pl_word_t *state, const float *x, float *y)
{
    const pl_counts_t *k = (const pl_counts_t *)constants;
    if (k->route == 0)
        pl_count_decimated(k, state, x);
    else if (k->route == 1)
        pl_count_tripled(k, state, x);
    else
        pl_count_interpolated(k, state, x);
    state[1].i += state[1].i < 256;
    if (++state[0].i < k->length + k->tail)
        return 0;
    state[0].i -= k->length;
    for (int32_t c = 0; c < PL_COUNT_AXES; c++) {
        y[c] = (float)state[PL_COUNT_SUMS + c].i;
        state[PL_COUNT_SUMS + c].i = 0;
    }
    return 1;
}

/* Drops every epoch that begins before the end of the gap; the filters start anew. */
static inline uint32_t pl_counts_gap(const void *constants, pl_word_t *state, uint32_t lost)
{
    const pl_counts_t *k = (const pl_counts_t *)constants;
    const int32_t end = state[0].i + (int32_t)lost;
    const int32_t dropped = end > 0 ? (end - 1) / k->length + 1 : 0;
    const int32_t front = k->route == 0 ? 0 : k->route == 1 ? 6 : 6 + 3 * (256 / k->factor);
    pl_zero(state, PL_COUNT_FRONT + front);
    state[0].i = end - dropped * k->length;
    return (uint32_t)dropped;
}

#endif
