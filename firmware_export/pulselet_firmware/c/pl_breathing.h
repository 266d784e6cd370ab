/* Pulselet runtime: breathing rate from windows of what breathing modulates. The same as signal/breathing.py. */
#ifndef PL_BREATHING_H
#define PL_BREATHING_H

#include "pl_math.h"

typedef struct {
    int32_t length, series, channels;  /* of a window: samples, series, and their number with the coverage */
    int32_t first, count;              /* bins of the spectrum that are rates */
    int32_t walks, forget;             /* steps of diffusion from window to window; windows lost that start anew */
    float bin_per_min, step_aside, jump, stay, evidence, first_evidence, inverse_length, inverse_spread;
    const float *weights, *prior;
    const pl_rfft_t *fft;              /* of twice the length */
} pl_breathing_rate_t;

static inline float pl_breathing_largest(const float *x, int32_t n)
{
    float most = 0.0f;
    for (int32_t i = 0; i < n; i++) {
        const float size = pl_absf(x[i]);
        most = size > most ? size : most;
    }
    return most;
}

/* Takes one channel out of a window. */
static inline void pl_breathing_channel(const pl_breathing_rate_t *k, const float *x, int32_t channel, float *b)
{
    for (int32_t i = 0; i < k->length; i++)
        b[i] = x[i * k->channels + channel];
}

/* Frees b from its mean and slope; b has room for twice the length. Returns 0 if it is flat. */
static inline int pl_breathing_detrend(const pl_breathing_rate_t *k, float *b)
{
    const int32_t n = k->length;
    const float middle = (float)(n - 1) * 0.5f;
    float *copy = b + n;
    const float largest = pl_breathing_largest(b, n);
    for (int32_t i = 0; i < n; i++)
        copy[i] = b[i];
    const float mean = pl_fold_sum(copy, n) * k->inverse_length;
    for (int32_t i = 0; i < n; i++) {
        b[i] -= mean;
        copy[i] = b[i] * ((float)i - middle);
    }
    const float slope = pl_fold_sum(copy, n) * k->inverse_spread;
    for (int32_t i = 0; i < n; i++)
        b[i] -= slope * ((float)i - middle);
    const float height = pl_breathing_largest(b, n);
    if (!(height > largest * 1e-6f && height > 1e-30f))
        return 0;
    for (int32_t i = 0; i < n; i++) {            /* Hann's window; cos(2 pi i / n) from the transform's table */
        float c = -1.0f, s;
        if (i != n / 2)
            pl_rfft_turn(k->fft, 2 * (i < n / 2 ? i : n - i), &c, &s);
        b[i] = (b[i] / height) * (0.5f - 0.5f * c);
        b[n + i] = 0.0f;
    }
    return 1;
}

/* Adds the log-likelihood of a series to the scores of the rates. */
static inline void pl_breathing_likelihood(const pl_breathing_rate_t *k, float *b, float weight, float *score)
{
    if (!pl_breathing_detrend(k, b))
        return;
    pl_rfft_power(k->fft, b);
    float *power = b + k->first, *copy = b + k->length + 1;
    for (int32_t r = 0; r < k->count; r++) {
        power[r] *= (float)(k->first + r);
        copy[r] = power[r];
    }
    const float total = pl_fold_sum(copy, k->count);
    if (!(total > 1e-20f))
        return;
    for (int32_t r = 0; r < k->count; r++)
        score[r] += weight * pl_logf(power[r] / total + 0.03f);
}

/* What is known of the rate one window later. */
static inline void pl_breathing_predict(const pl_breathing_rate_t *k, float *p)
{
    const int32_t n = k->count;
    for (int32_t walk = 0; walk < k->walks; walk++) {
        float before = p[0];
        for (int32_t r = 0; r < n; r++) {
            const float here = p[r], after = r + 1 < n ? p[r + 1] : here;
            p[r] = here + k->step_aside * ((before - here) + (after - here));
            before = here;
        }
    }
    for (int32_t r = 0; r < n; r++)
        p[r] = k->stay * p[r] + k->jump * k->prior[r];
}

static inline void pl_breathing_update(const pl_breathing_rate_t *k, float *p, float *score, float evidence)
{
    float most = score[0];
    for (int32_t r = 1; r < k->count; r++)
        most = score[r] > most ? score[r] : most;
    for (int32_t r = 0; r < k->count; r++) {
        p[r] *= pl_expf(evidence * (score[r] - most));
        score[r] = p[r];
    }
    const float total = pl_fold_sum(score, k->count);
    for (int32_t r = 0; r < k->count; r++)
        p[r] /= total;
}

static inline void pl_breathing_estimate(const pl_breathing_rate_t *k, const float *p, float covered, float *y)
{
    int32_t best = 0;
    float mass = 0.0f, moment = 0.0f;
    for (int32_t r = 1; r < k->count; r++)
        if (p[r] > p[best])
            best = r;
    for (int32_t r = best > 2 ? best - 2 : 0; r < k->count && r <= best + 2; r++) {
        mass += p[r];
        moment += p[r] * ((float)(k->first + r) * k->bin_per_min);
    }
    y[0] = moment / mass;
    y[1] = mass * covered;
}

/* A window of series to rate and confidence. state: started, windows lost since the last, posterior, scores, two windows of scratch. */
static inline int32_t pl_breathing_rate_step(const void *constants, pl_word_t *state, const float *x, float *y)
{
    const pl_breathing_rate_t *k = (const pl_breathing_rate_t *)constants;
    float *p = &state[2].f, *score = p + k->count, *b = score + k->count, covered = 1.0f;
    const float evidence = state[0].i ? k->evidence : k->first_evidence;
    for (int32_t r = 0; r < k->count; r++) {
        score[r] = 0.0f;
        if (!state[0].i)
            p[r] = k->prior[r];
    }
    state[0].i = 1;
    state[1].i = 0;
    for (int32_t series = 0; series < k->series; series++) {
        pl_breathing_channel(k, x, series, b);
        pl_breathing_likelihood(k, b, k->weights[series], score);
    }
    if (k->channels > k->series) {
        pl_breathing_channel(k, x, k->series, b);
        covered = pl_fold_sum(b, k->length) * k->inverse_length;
        covered = covered < 0.0f ? 0.0f : covered > 1.0f ? 1.0f : covered;
    }
    pl_breathing_predict(k, p);
    pl_breathing_update(k, p, score, evidence * covered);
    pl_breathing_estimate(k, p, covered, y);
    return 1;
}

static inline uint32_t pl_breathing_rate_gap(const void *constants, pl_word_t *state, uint32_t lost)
{
    const pl_breathing_rate_t *k = (const pl_breathing_rate_t *)constants;
    if (lost > (uint32_t)(k->forget - state[1].i))
        state[0].i = 0;
    if (state[0].i) {
        state[1].i += (int32_t)lost;
        for (uint32_t i = 0; i < lost; i++)
            pl_breathing_predict(k, &state[2].f);
    }
    return lost;
}

#endif
