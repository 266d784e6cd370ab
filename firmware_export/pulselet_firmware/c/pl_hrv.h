/* Pulselet runtime: heart rate variability. The same as signal/heart_rate_variability.py. */
#ifndef PL_HRV_H
#define PL_HRV_H

#include "pl_math.h"

enum { PL_HRV_NORMAL, PL_HRV_ECTOPIC, PL_HRV_LOST, PL_HRV_REFERENCE = 5 };

typedef struct {
    int32_t width, normal;             /* columns of an event; the one that marks NN intervals, or -1 */
    int32_t window, hop, beats;        /* ticks, ticks, room for intervals */
    int32_t shortest, longest, fifty_ms;
    int32_t entropy, points;           /* whether to work it out; of the spectrum, 0: none */
    int32_t low, middle, high;         /* bins where LF begins, HF begins, HF ends */
    float tolerance, ms_per_tick, step_ticks, turn, power_ms2;
    const pl_rfft_t *fft;
} pl_hrv_t;

/* state: ticks towards the next row, whether there was one, ticks since the last, intervals so far in the ring,
 * place of the newest, number and ticks of the last valid intervals; ring (4 * ticks + kind); scratch. */
enum { PL_HRV_TOWARDS, PL_HRV_SINCE, PL_HRV_COUNT, PL_HRV_NEWEST, PL_HRV_RECENT };

/* A window in the scratch, or in the ring, oldest first. */
typedef struct {
    const pl_hrv_t *k;
    const pl_word_t *ring;
    int32_t at, left, age;             /* the next interval, how many, ticks from its beginning to now */
} pl_hrv_walk_t;

static inline pl_word_t *pl_hrv_ring(pl_word_t *state)
{
    return state + PL_HRV_RECENT + 1 + PL_HRV_REFERENCE;
}

/* Finds the intervals of the window. */
static inline pl_hrv_walk_t pl_hrv_window(const pl_hrv_t *k, pl_word_t *state)
{
    pl_hrv_walk_t w = { k, pl_hrv_ring(state), state[PL_HRV_NEWEST].i, 0, 0 };
    int32_t at = w.at;
    while (w.left < state[PL_HRV_COUNT].i) {
        const int32_t ticks = w.ring[at].i / 4;
        if (w.age + ticks > k->window)
            break;
        w.age += ticks;
        w.left++;
        w.at = at;
        at = at > 0 ? at - 1 : k->beats - 1;
    }
    return w;
}

/* Takes the next interval; returns its ticks, and its kind. */
static inline int32_t pl_hrv_next(pl_hrv_walk_t *w, int32_t *kind)
{
    const int32_t word = w->ring[w->at].i;
    w->at = w->at + 1 < w->k->beats ? w->at + 1 : 0;
    w->left--;
    w->age -= word / 4;
    *kind = word % 4;
    return word / 4;
}

/* Takes the next NN interval; returns 0 if there is none. */
static inline int pl_hrv_next_nn(pl_hrv_walk_t *w, float *ticks, float *age)
{
    while (w->left > 0) {
        int32_t kind;
        const int32_t t = pl_hrv_next(w, &kind);
        if (kind == PL_HRV_NORMAL) {
            *ticks = (float)t;
            *age = (float)w->age;
            return 1;
        }
    }
    return 0;
}

/* Exact sums of integers. */
typedef struct {
    int32_t n;
    int64_t sum, squares;
} pl_hrv_sums_t;

static inline void pl_hrv_add(pl_hrv_sums_t *s, int32_t x)
{
    s->n++;
    s->sum += x;
    s->squares += (int64_t)x * x;
}

/* Standard deviation (n - 1), or -1. */
PL_RARE float pl_hrv_deviation(const pl_hrv_sums_t *s)
{
    if (s->n < 2)
        return -1.0f;
    const float spread = (float)(s->n * s->squares - s->sum * s->sum);
    return pl_sqrtf(spread / (float)((int64_t)s->n * (s->n - 1)));
}

/* Sample entropy of n intervals; those that are not NN are -1. */
PL_RARE float pl_hrv_entropy(const pl_word_t *x, int32_t n, float deviation)
{
    int32_t two = 0, three = 0;
    if (n < 4 || deviation < 0.0f)
        return -1.0f;
    const int32_t r = (int32_t)(0.2f * deviation);
    const uint32_t wide = 2u * (uint32_t)r;
    for (int32_t i = 0; i + 2 < n; i++) {
        const int32_t a = x[i].i, b = x[i + 1].i, c = x[i + 2].i;
        if ((a | b | c) < 0)
            continue;
        for (int32_t j = i + 1; j + 2 < n; j++) {
            if ((uint32_t)(x[j].i - a + r) > wide || (x[j].i | x[j + 1].i | x[j + 2].i) < 0)
                continue;
            if ((uint32_t)(x[j + 1].i - b + r) > wide)
                continue;
            two++;
            three += (uint32_t)(x[j + 2].i - c + r) <= wide;
        }
    }
    return three > 0 ? 0.0f - pl_logf((float)three / (float)two) : -1.0f;
}

static inline float pl_hrv_ms(const pl_hrv_t *k, float deviation, float factor)
{
    return deviation >= 0.0f ? deviation * factor * k->ms_per_tick : -1.0f;
}

/* Fills y[1]..y[12]; returns the mean of the NN intervals in ticks. */
PL_RARE float pl_hrv_time(const pl_hrv_t *k, pl_word_t *state, float *y)
{
    pl_hrv_walk_t w = pl_hrv_window(k, state);
    pl_hrv_sums_t nn = { 0, 0, 0 }, steps = nn, sums = nn;
    pl_word_t *scratch = pl_hrv_ring(state) + k->beats;
    int32_t counts[3] = { 0, 0, 0 }, last = -1, above = 0;
    const int32_t n = w.left;
    for (int32_t i = 0; i < n; i++) {
        int32_t kind, x = pl_hrv_next(&w, &kind);
        counts[kind]++;
        x = kind == PL_HRV_NORMAL ? x : -1;
        if (x >= 0)
            pl_hrv_add(&nn, x);
        if (x >= 0 && last >= 0) {
            const int32_t step = x - last;
            pl_hrv_add(&steps, step);
            pl_hrv_add(&sums, x + last);
            above += step > k->fifty_ms || -step > k->fifty_ms;
        }
        last = x;
        if (k->entropy)
            scratch[i].i = x;
    }
    const float total = (float)nn.sum, pairs = (float)steps.n;
    const float mean = nn.n > 0 ? total / (float)nn.n : -1.0f, deviation = pl_hrv_deviation(&nn);
    for (int32_t kind = 0; kind < 3; kind++)
        y[1 + kind] = (float)counts[kind];
    y[4] = total / (float)k->window;
    y[5] = nn.n > 0 ? mean * k->ms_per_tick : -1.0f;
    y[6] = pl_hrv_ms(k, deviation, 1.0f);
    y[7] = steps.n > 0 ? pl_sqrtf((float)steps.squares / pairs) * k->ms_per_tick : -1.0f;
    y[8] = steps.n > 0 ? 100.0f * (float)above / pairs : -1.0f;
    y[9] = nn.n > 0 ? 60000.0f / y[5] : -1.0f;
    y[10] = pl_hrv_ms(k, pl_hrv_deviation(&steps), 0.70710678f);
    y[11] = pl_hrv_ms(k, pl_hrv_deviation(&sums), 0.70710678f);
    y[12] = k->entropy ? pl_hrv_entropy(scratch, n, deviation) : -1.0f;
    return mean;
}

/* Five NN intervals: the one at place 2, and as many as there are up to two on either side. */
typedef struct {
    float x[5], age[5];
    int32_t before, after;
} pl_hrv_knots_t;

/* Moves on by one; what comes in last is the next NN interval, if there is one. */
static inline void pl_hrv_advance(pl_hrv_knots_t *q, pl_hrv_walk_t *w)
{
    for (int32_t i = 0; i < 4; i++) {
        q->x[i] = q->x[i + 1];
        q->age[i] = q->age[i + 1];
    }
    q->before += q->before < 2;
    q->after--;
    if (q->after == 1)
        q->after += pl_hrv_next_nn(w, &q->x[4], &q->age[4]);
}

static inline float pl_hrv_slope(const pl_hrv_knots_t *q)
{
    const int32_t a = q->before > 0 ? 1 : 2, b = q->after > 0 ? 3 : 2;
    const float rise = q->x[b] - q->x[a], run = q->age[a] - q->age[b];
    const float rise_2 = q->x[4] - q->x[0], run_2 = q->age[0] - q->age[4];
    if (q->before == 2 && q->after == 2 && run_2 < 4.0f * run)
        return (8.0f * rise - rise_2) / (8.0f * run - run_2);
    return rise / run;
}

/* Writes NN intervals in ticks less their mean, at even times and weighted by Hann's window, to b; there are three. */
static inline void pl_hrv_resample(const pl_hrv_t *k, pl_word_t *state, float mean, float *b)
{
    pl_hrv_walk_t w = pl_hrv_window(k, state);
    pl_hrv_knots_t q = { { 0.0f }, { 0.0f }, 0, 2 };
    for (int32_t i = 2; i < 5; i++)
        (void)pl_hrv_next_nn(&w, &q.x[i], &q.age[i]);
    float slope_a = 0.0f, slope_b = pl_hrv_slope(&q);
    int has_a = 0;
    for (int32_t i = 0; i < k->points; i++) {
        const float age = (float)(k->points - 1 - i) * k->step_ticks;
        while (q.after >= 0 && q.age[2] > age) {
            pl_hrv_advance(&q, &w);
            slope_a = slope_b;
            has_a = 1;
            if (q.after >= 0)
                slope_b = pl_hrv_slope(&q);
        }
        float value = has_a ? q.x[1] : q.x[2];
        if (has_a && q.after >= 0) {
            const float span = q.age[1] - q.age[2], s = (q.age[1] - age) / span;
            const float rise = q.x[2] - q.x[1], leave = span * slope_a, enter = span * slope_b;
            const float bend = (3.0f * rise - 2.0f * leave) - enter;
            value = q.x[1] + s * (leave + s * (bend + s * ((leave + enter) - 2.0f * rise)));
        }
        b[i] = (value - mean) * (0.5f - 0.5f * pl_cosf((float)i * k->turn));
    }
}

/* Fills y[13]..y[15]. */
static inline void pl_hrv_spectrum(const pl_hrv_t *k, pl_word_t *state, float mean, float *y)
{
    y[13] = y[14] = y[15] = -1.0f;
    if (k->points == 0 || !(y[1] >= 3.0f))
        return;
    float *b = &(pl_hrv_ring(state) + k->beats)->f;
    pl_hrv_resample(k, state, mean, b);
    for (int32_t i = k->points; i < k->fft->n; i++)
        b[i] = 0.0f;
    pl_rfft_power(k->fft, b);
    y[13] = pl_fold_sum(b + k->low, k->middle - k->low) * k->power_ms2;
    y[14] = pl_fold_sum(b + k->middle, k->high - k->middle) * k->power_ms2;
    if (y[14] > 0.0f)
        y[15] = y[13] / y[14];
}

/* Median of the last valid intervals, which are as many as it takes. */
static inline int32_t pl_hrv_median(const pl_word_t *recent)
{
    for (int32_t i = 0; i < PL_HRV_REFERENCE; i++) {
        int32_t below = 0, equal = 0;
        for (int32_t j = 0; j < PL_HRV_REFERENCE; j++) {
            below += recent[j].i < recent[i].i;
            equal += recent[j].i == recent[i].i;
        }
        if (below <= PL_HRV_REFERENCE / 2 && below + equal > PL_HRV_REFERENCE / 2)
            return recent[i].i;
    }
    return recent[0].i;
}

/* Says what kind an interval is, and keeps it if it is valid. */
static inline int32_t pl_hrv_kind(const pl_hrv_t *k, pl_word_t *state, const float *x, int32_t ticks)
{
    pl_word_t *recent = state + PL_HRV_RECENT;
    const int32_t known = recent[0].i;
    int usual = ticks >= k->shortest && ticks <= k->longest && (k->normal < 0 || x[k->normal] > 0.5f);
    if (!(x[1] > 0.5f))
        return PL_HRV_LOST;
    if (k->tolerance > 0.0f && known == PL_HRV_REFERENCE) {
        const int32_t median = pl_hrv_median(recent + 1), far = ticks > median ? ticks - median : median - ticks;
        if ((float)far > k->tolerance * (float)median)
            usual = 0;
    }
    for (int32_t i = PL_HRV_REFERENCE; i > 1; i--)
        recent[i].i = recent[i - 1].i;
    recent[1].i = ticks;
    recent[0].i = known < PL_HRV_REFERENCE ? known + 1 : known;
    return usual ? PL_HRV_NORMAL : PL_HRV_ECTOPIC;
}

/* Counts towards the next row; returns 1 if it is due. */
static inline int pl_hrv_due(const pl_hrv_t *k, pl_word_t *state, int32_t ticks)
{
    const int32_t since = state[PL_HRV_SINCE].i + ticks;
    state[PL_HRV_SINCE].i = since;
    state[PL_HRV_TOWARDS].i += ticks;
    if (state[PL_HRV_TOWARDS].i < k->window)
        return 0;
    state[PL_HRV_TOWARDS].i = (state[PL_HRV_TOWARDS].i - k->window) % k->hop + k->window - k->hop;
    return 1;
}

/* A beat to at most one row. */
static inline int32_t pl_hrv_step(const void *constants, pl_word_t *state, const float *x, float *y)
{
    const pl_hrv_t *k = (const pl_hrv_t *)constants;
    const int32_t ticks = (int32_t)(x[0] > 0.0f ? x[0] < 16777216.0f ? x[0] : 16777216.0f : 0.0f);
    if (ticks > 0) {
        const int32_t kind = pl_hrv_kind(k, state, x, ticks);
        const int32_t at = state[PL_HRV_NEWEST].i + 1 < k->beats ? state[PL_HRV_NEWEST].i + 1 : 0;
        state[PL_HRV_NEWEST].i = at;
        state[PL_HRV_COUNT].i += state[PL_HRV_COUNT].i < k->beats;
        pl_hrv_ring(state)[at].i = 4 * ticks + kind;
    }
    if (!pl_hrv_due(k, state, ticks))
        return 0;
    y[0] = (float)state[PL_HRV_SINCE].i;
    state[PL_HRV_SINCE].i = 0;
    pl_hrv_spectrum(k, state, pl_hrv_time(k, state, y), y);
    return 1;
}

#endif
