/* Pulselet runtime: how far a photoplethysmogram can be trusted. The same arithmetic as signal/ppg_quality.py. */
#ifndef PL_PPG_QUALITY_H
#define PL_PPG_QUALITY_H

#include "pl_ppg_pulses.h"

enum { PL_PPG_OTHERS = 8, PL_PPG_STEPS = 1024, PL_PPG_SUMS = 4 };

typedef struct {
    const pl_pulses_t *pulses;
    int32_t hop, bins, points, stride, reach;
    int32_t shortest, longest, flat;             /* samples */
    float samples, covered, low, high, inverse_points, least_power;
} pl_ppg_quality_t;

/* Followed by shapes (others + 1) x points, a ring of `reach` filtered samples, and the bins, oldest first: pulses, their
 * similarity, samples in plausible intervals, good samples. */
typedef struct {
    pl_pulses_state_t pulses;
    pl_word_t next, seen;        /* in the ring of samples */
    pl_word_t shape, shapes;     /* where the next shape goes, and how many there are */
    pl_word_t interval, last, run, filled;
} pl_ppg_quality_state_t;

static inline float pl_ppg_products(const pl_word_t *a, const pl_word_t *b, int32_t count)
{
    float total = 0.0f;
    for (int32_t i = 0; i < count; i++)
        total = total + a[i].f * b[i].f;
    return total;
}

/* Writes the wave that ends now with mean 0 and power 1. */
static inline void pl_ppg_draw(const pl_ppg_quality_t *k, int32_t next, const pl_word_t *ring, pl_word_t *shape)
{
    float total = 0.0f;
    for (int32_t i = 0; i < k->points; i++) {    /* the oldest sample is the one that is overwritten next */
        int32_t at = next + i * k->stride;
        if (at >= k->reach)
            at -= k->reach;
        shape[i] = ring[at];
        total = total + shape[i].f;
    }
    const float mean = total * k->inverse_points;
    for (int32_t i = 0; i < k->points; i++)
        shape[i].f = shape[i].f - mean;
    const float power = pl_ppg_products(shape, shape, k->points);
    const float root = power > k->least_power ? pl_sqrtf(power) : 1.0f;
    for (int32_t i = 0; i < k->points; i++)
        shape[i].f = power > k->least_power ? shape[i].f / root : 0.0f;
}

/* Returns the third best correlation with the shapes before it, below -1 if there are too few. */
static inline float pl_ppg_alike(const pl_ppg_quality_t *k, const pl_word_t *shapes, int32_t newest, int32_t count)
{
    float best[3] = { -2.0f, -2.0f, -2.0f };
    for (int32_t i = 0; i < count; i++) {
        float value = pl_ppg_products(shapes + newest * k->points, shapes + i * k->points, k->points);
        if (i == newest)
            continue;
        for (int32_t j = 0; j < 3; j++)
            if (value > best[j]) {
                const float other = best[j];
                best[j] = value;
                value = other;
            }
    }
    return best[2];
}

static inline int32_t pl_ppg_is_steady(const pl_ppg_quality_t *k, int32_t since, int32_t before)
{
    const int32_t less = since < before ? since : before, more = since < before ? before : since;
    return since >= k->shortest && since <= k->longest && (before == 0 || 4 * less >= 3 * more);
}

PL_RARE void pl_ppg_pulse(const pl_ppg_quality_t *k, pl_ppg_quality_state_t *s, const float *event,
                          pl_word_t *shapes, const pl_word_t *ring, pl_word_t *bin)
{
    const int32_t since = (int32_t)event[0], valid = event[1] > 0.0f;
    if (valid && pl_ppg_is_steady(k, since, s->interval.i))
        bin[2].i += since;
    s->interval.i = valid ? since : 0;
    if (s->seen.i < k->reach)
        return;
    const int32_t newest = s->shape.i;
    pl_ppg_draw(k, s->next.i, ring, shapes + newest * k->points);
    if (s->shapes.i <= PL_PPG_OTHERS)
        s->shapes.i++;
    const float alike = pl_ppg_alike(k, shapes, newest, s->shapes.i);
    s->shape.i = newest == PL_PPG_OTHERS ? 0 : newest + 1;
    if (alike > -2.0f) {
        bin[0].i++;
        bin[1].i += alike > 0.0f ? (int32_t)((alike < 1.0f ? alike : 1.0f) * (float)PL_PPG_STEPS) : 0;
    }
}

static inline int32_t pl_ppg_good(const pl_ppg_quality_t *k, pl_ppg_quality_state_t *s, float x)
{
    if (s->run.i == 0 || x < s->last.f || x > s->last.f)
        s->run.i = 0;
    if (s->run.i < k->flat)
        s->run.i++;
    s->last.f = x;
    return s->run.i < k->flat && x > k->low && x < k->high;
}

static inline void pl_ppg_row(const pl_ppg_quality_t *k, const pl_word_t *bins, float *y)
{
    int32_t sums[PL_PPG_SUMS] = { 0, 0, 0, 0 };
    for (int32_t i = 0; i < k->bins * PL_PPG_SUMS; i++)
        sums[i % PL_PPG_SUMS] += bins[i].i;
    const float similarity = sums[0] ? (float)sums[1] / ((float)sums[0] * (float)PL_PPG_STEPS) : 0.0f;
    const float part = (float)sums[2] / k->covered, rhythm = part < 1.0f ? part : 1.0f;
    const float contact = (float)sums[3] / k->samples;
    const float alike = 2.0f * similarity - 1.0f;
    y[0] = (alike > 0.0f ? alike : 0.0f) * rhythm * contact;
    y[1] = similarity;
    y[2] = rhythm;
    y[3] = contact;
}

static inline void pl_ppg_next_bin(const pl_ppg_quality_t *k, pl_word_t *bins)
{
    const int32_t kept = (k->bins - 1) * PL_PPG_SUMS;
    for (int32_t i = 0; i < kept; i++)
        bins[i] = bins[i + PL_PPG_SUMS];
    pl_zero(bins + kept, PL_PPG_SUMS);
}

static inline int32_t pl_ppg_quality_step(const void *constants, pl_word_t *state, const float *x, float *y)
{
    const pl_ppg_quality_t *k = (const pl_ppg_quality_t *)constants;
    pl_ppg_quality_state_t *s = (pl_ppg_quality_state_t *)(void *)state;
    pl_word_t *shapes = state + sizeof *s / sizeof *state;
    pl_word_t *ring = shapes + (PL_PPG_OTHERS + 1) * k->points, *bins = ring + k->reach;
    pl_word_t *bin = bins + (k->bins - 1) * PL_PPG_SUMS;
    float event[5];
    const int32_t found = pl_pulses_step(k->pulses, state, x, event);
    ring[s->next.i] = s->pulses.level;
    s->next.i = s->next.i + 1 == k->reach ? 0 : s->next.i + 1;
    if (s->seen.i < k->reach)
        s->seen.i++;
    if (found)
        pl_ppg_pulse(k, s, event, shapes, ring, bin);
    bin[3].i += pl_ppg_good(k, s, x[0]);
    if (++s->filled.i < k->hop)
        return 0;
    pl_ppg_row(k, bins, y);
    pl_ppg_next_bin(k, bins);
    s->filled.i = 0;
    return 1;
}

/* Lost samples count as bad; returns the rows that would have gone out among them. */
static inline uint32_t pl_ppg_quality_gap(const void *constants, pl_word_t *state, uint32_t lost)
{
    const pl_ppg_quality_t *k = (const pl_ppg_quality_t *)constants;
    pl_ppg_quality_state_t *s = (pl_ppg_quality_state_t *)(void *)state;
    pl_word_t *bins = state + sizeof *s / sizeof *state + (PL_PPG_OTHERS + 1) * k->points + k->reach;
    const uint32_t filled = (uint32_t)s->filled.i + lost, passed = filled / (uint32_t)k->hop;
    (void)pl_pulses_gap(k->pulses, state, lost);
    s->seen.i = s->interval.i = s->run.i = 0;
    s->filled.i = (int32_t)(filled % (uint32_t)k->hop);
    for (uint32_t i = 0; i < passed && i < (uint32_t)k->bins; i++)
        pl_ppg_next_bin(k, bins);
    return passed;
}

#endif
