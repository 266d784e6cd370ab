/* Pulselet runtime: pulse rate from windows of light at the wrist and acceleration. The same arithmetic as
 * signal/wrist_rate.py. */
#ifndef PL_WRIST_RATE_H
#define PL_WRIST_RATE_H

#include "pl_math.h"
#include "pl_stage.h"

typedef struct {
    int32_t ppg, channels;       /* channels of light, of all: the rest are three of acceleration, or none */
    int32_t length;              /* samples in a window */
    int32_t first, bins;         /* the band of the spectrum that counts */
    int32_t low, rates;          /* the bins that are rates */
    int32_t peak, near;          /* half widths in bins: of a peak, of what confidence means */
    int32_t reach, forget;       /* spread goes so far; a gap of more windows starts anew */
    float middle, squares;       /* of the times in a window: their middle, the sum of their squares about it */
    float step_u;                /* time to the taper's argument */
    float still, suppression;    /* power of acceleration that weighs half; how strongly it weighs light down */
    float harmonic, part;        /* weight of the second harmonic; of one channel of light */
    float gain, sharp;           /* evidence to log probability: to choose a peak, to place it */
    float jump, bin_bpm;         /* probability of any other rate; width of a bin */
    const float *spread;         /* reach + 1: probability of a step by so many bins */
    const pl_rfft_t *fft;
} pl_pulse_rate_t;

/* Larger of a and the size of b. */
static inline float pl_pulse_rate_farther(float a, float b)
{
    const float size = b < 0.0f ? -b : b;
    return size > a ? size : a;
}

/* Spectrum of one channel of a window without mean and slope, tapered: power in the first n/2 + 1 floats of v.
 * Returns whether it is flat beside its level; *swing: the farthest from the straight line. */
PL_RARE int32_t pl_pulse_rate_power(const pl_pulse_rate_t *k, const float *x, float *v, float *swing)
{
    float level = 0.0f;
    *swing = 0.0f;
    for (int32_t i = 0; i < k->length; i++) {
        v[i] = x[i * k->channels];
        level = pl_pulse_rate_farther(level, v[i]);
    }
    const float mean = pl_fold_sum(v, k->length) / (float)k->length;
    for (int32_t i = 0; i < k->length; i++)
        v[i] = x[i * k->channels] * ((float)i - k->middle);
    const float slope = pl_fold_sum(v, k->length) / k->squares;
    for (int32_t i = 0; i < k->length; i++) {
        const float t = (float)i - k->middle, u = t * k->step_u;
        v[i] = ((x[i * k->channels] - mean) - slope * t) * pl_sqrtf(1.0f - u * u);
        *swing = pl_pulse_rate_farther(*swing, v[i]);
    }
    for (int32_t i = k->length; i < k->fft->n; i++)
        v[i] = 0.0f;
    pl_rfft_power(k->fft, v);
    return !(*swing > level * 7.62939453125e-6f); /* 2^-17 */
}

static inline float pl_pulse_rate_most(const float *v, int32_t n)
{
    float most = v[0];
    for (int32_t i = 1; i < n; i++)
        if (v[i] > most)
            most = v[i];
    return most;
}

/* How much the acceleration weighs in each bin of the band. */
static inline void pl_pulse_rate_motion(const pl_pulse_rate_t *k, const float *x, float *motion, float *v)
{
    float swing;
    pl_zero((pl_word_t *)motion, k->bins);
    if (k->channels == k->ppg)
        return;
    for (int32_t c = k->ppg; c < k->channels; c++) {
        (void)pl_pulse_rate_power(k, x + c, v, &swing);
        for (int32_t i = 0; i < k->bins; i++)
            motion[i] += v[k->first + i];
    }
    const float most = pl_pulse_rate_most(motion, k->bins) + k->still;
    for (int32_t i = 0; i < k->bins; i++)
        motion[i] = motion[i] / most * k->suppression;
}

/* Adds to each rate how far one channel of light stands out there, and returns 1; nothing and 0 if it is flat.
 * usual: the swing of windows that are not. v: n floats, the band's roots and their copy. */
static inline int32_t pl_pulse_rate_light(const pl_pulse_rate_t *k, const float *x, const float *motion, float *found,
                                       float *usual, float *v)
{
    float swing;
    const int32_t flat = pl_pulse_rate_power(k, x, v, &swing);
    if (flat || !(swing > *usual * 0.001953125f)) { /* 2^-9 */
        *usual = *usual - *usual * 0.00390625f;     /* 2^-8 */
        return 0;
    }
    *usual = *usual > 0.0f ? *usual + (swing - *usual) * 0.125f : swing;
    float *root = v + k->first, *copy = v + k->fft->n / 2 + 1;
    for (int32_t i = 0; i < k->bins; i++)
        root[i] = root[i] * pl_sqrtf((float)(k->first + i));
    float most = pl_pulse_rate_most(root, k->bins);
    if (!(most > 1e-30f))
        most = 1e-30f;
    for (int32_t i = 0; i < k->bins; i++) {
        const float p = root[i] / most;
        root[i] = pl_sqrtf(p * p / ((p + motion[i]) + 1e-9f));
        copy[i] = root[i];
    }
    float total = pl_fold_sum(copy, k->bins);
    if (!(total > 1e-30f))
        total = 1e-30f;
    const float scale = (float)k->bins / total;
    for (int32_t i = 0; i < k->rates; i++) {
        const int32_t at = k->low + i;
        float one = v[at] * scale;
        if (2 * at < k->first + k->bins)
            one += k->harmonic * (v[2 * at] * scale);
        found[i] += one;
    }
    return 1;
}

/* What is believed before the next window is seen. */
static inline void pl_pulse_rate_predict(const pl_pulse_rate_t *k, const float *belief, float *p)
{
    for (int32_t i = 0; i < k->rates; i++) {
        float sum = k->spread[0] * belief[i] + k->jump;
        for (int32_t d = 1; d <= k->reach; d++) {
            const float below = i >= d ? belief[i - d] : 0.0f, above = i + d < k->rates ? belief[i + d] : 0.0f;
            sum += k->spread[d] * (below + above);
        }
        p[i] = sum;
    }
}

/* Takes p, scaled to a sum of 1, as the belief; copy: as many floats. */
static inline void pl_pulse_rate_believe(const pl_pulse_rate_t *k, float *belief, const float *p, float *copy)
{
    for (int32_t i = 0; i < k->rates; i++)
        copy[i] = p[i];
    const float total = pl_fold_sum(copy, k->rates);
    for (int32_t i = 0; i < k->rates; i++)
        belief[i] = p[i] / total;
}

static inline int32_t pl_pulse_rate_peak(const pl_pulse_rate_t *k, const float *belief)
{
    float most = -1.0f;
    int32_t found = 0;
    for (int32_t i = 0; i < k->rates; i++) {
        float mass = 0.0f;
        for (int32_t j = i - k->peak; j <= i + k->peak; j++)
            if (j >= 0 && j < k->rates)
                mass += belief[j];
        if (mass > most) {
            most = mass;
            found = i;
        }
    }
    return found;
}

/* Takes a window; gives rate and confidence. state: 0 before the first, then 1 + the windows in a row that said
 * nothing; belief, evidence, motion, n floats of scratch, the usual swing of each channel of light. */
static inline int32_t pl_pulse_rate_step(const void *constants, pl_word_t *state, const float *x, float *y)
{
    const pl_pulse_rate_t *k = (const pl_pulse_rate_t *)constants;
    float *belief = &state[1].f, *found = belief + k->rates, *motion = found + k->rates, *v = motion + k->bins;
    float *usual = v + k->fft->n;
    if (!state[0].i)
        pl_zero((pl_word_t *)usual, k->ppg);
    pl_pulse_rate_motion(k, x, motion, v);
    pl_zero((pl_word_t *)found, k->rates);
    int32_t says = 0;
    for (int32_t c = 0; c < k->ppg; c++)
        says |= pl_pulse_rate_light(k, x + c, motion, found, usual + c, v);
    int32_t silent = says ? 0 : state[0].i > 0 ? state[0].i : 1;
    if (silent > k->forget + 1)
        silent = k->forget + 1;
    if (!state[0].i || silent > k->forget) {
        for (int32_t i = 0; i < k->rates; i++)
            v[i] = 1.0f / (float)(k->low + i);
        pl_pulse_rate_believe(k, belief, v, v + k->rates);
    }
    state[0].i = 1 + silent;
    pl_pulse_rate_predict(k, belief, v);
    for (int32_t i = 0; i < k->rates; i++) {
        found[i] = found[i] * k->part;
        if (found[i] > 60.0f)
            found[i] = 60.0f;
        v[i] *= pl_expf(found[i] * k->gain);
    }
    pl_pulse_rate_believe(k, belief, v, v + k->rates);
    const int32_t peak = pl_pulse_rate_peak(k, belief);
    float confidence = 0.0f, total = 0.0f, moment = 0.0f;
    for (int32_t i = peak - k->near; i <= peak + k->near; i++) {
        if (i < 0 || i >= k->rates)
            continue;
        const float weight = belief[i] * pl_expf(found[i] * k->sharp);
        confidence += belief[i];
        total += weight;
        moment += weight * ((float)(k->low + i) * k->bin_bpm);
    }
    y[0] = moment / total;
    y[1] = confidence < 1.0f ? confidence : 1.0f;
    return 1;
}

static inline uint32_t pl_pulse_rate_gap(const void *constants, pl_word_t *state, uint32_t lost)
{
    const pl_pulse_rate_t *k = (const pl_pulse_rate_t *)constants;
    float *belief = &state[1].f, *v = belief + 2 * k->rates + k->bins;
    if (!state[0].i)
        return lost;
    if (lost > (uint32_t)k->forget || (uint32_t)state[0].i - 1u + lost > (uint32_t)k->forget) {
        state[0].i = 0;
        return lost;
    }
    state[0].i += (int32_t)lost;
    for (uint32_t i = 0; i < lost; i++) {
        pl_pulse_rate_predict(k, belief, v);
        pl_pulse_rate_believe(k, belief, v, v + k->rates);
    }
    return lost;
}

#endif
