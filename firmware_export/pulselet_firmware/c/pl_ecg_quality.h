/* Pulselet runtime: how far an ECG can be trusted. The same arithmetic as signal/ecg_quality.py. */
#ifndef PL_ECG_QUALITY_H
#define PL_ECG_QUALITY_H

#include "pl_ecg_beats.h"
#include "pl_math.h"

#define PL_QUALITY_OTHERS 8      /* beats that a beat is compared with */
#define PL_QUALITY_POINTS 32     /* of a waveform, at most */

typedef struct {
    const pl_beats_t *beats;
    int32_t points;              /* of a waveform */
    int32_t before, away;        /* the R peak's; so far from it may the largest deviation be */
    int32_t width;               /* floats of a row of beats */
    int32_t beats_rows;
    int32_t hop, bins;
    int32_t flat, least_rr, most_rr;
    float full_scale, inverse_points;
    float samples, covered;      /* of a window; of those, within intervals, for a rhythm of 1 */
} pl_ecg_quality_t;

/* PLACE: samples of the newest bin. BIN: the newest, in a ring. LAST: the sample before; RUN: how often it has come.
 * BEATS: so many are known; NEXT: where the next goes in their ring. */
enum { PL_QUALITY_PLACE, PL_QUALITY_BIN, PL_QUALITY_LAST, PL_QUALITY_RUN, PL_QUALITY_BEATS, PL_QUALITY_NEXT,
       PL_QUALITY_BINS };

/* Of a bin: beats compared, sums of their similarity and its square, samples within plausible intervals, good samples,
 * the longest interval, how much less than 2^30 the shortest is. */
enum { PL_BIN_BEATS, PL_BIN_SIMILARITY, PL_BIN_SQUARES, PL_BIN_COVERED, PL_BIN_GOOD, PL_BIN_LONG, PL_BIN_SHORT, PL_BIN };

PL_RARE pl_word_t *pl_quality_bin(pl_word_t *state)
{
    return state + PL_QUALITY_BINS + PL_BIN * state[PL_QUALITY_BIN].i;
}

PL_RARE pl_word_t *pl_quality_heights(const pl_ecg_quality_t *k, pl_word_t *state)
{
    return state + PL_QUALITY_BINS + PL_BIN * k->bins;
}

static inline int8_t *pl_quality_shapes(const pl_ecg_quality_t *k, pl_word_t *state)
{
    return (int8_t *)(void *)(pl_quality_heights(k, state) + PL_QUALITY_OTHERS);
}

PL_RARE pl_word_t *pl_quality_rows(const pl_ecg_quality_t *k, pl_word_t *state)
{
    return pl_quality_heights(k, state) + PL_QUALITY_OTHERS + PL_QUALITY_OTHERS * k->points / 4;
}

PL_RARE int32_t pl_quality_product(const int8_t *a, const int8_t *b, int32_t n)
{
    int32_t sum = 0;
    for (int32_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

/* Makes shape, height and the place of the largest deviation of a waveform, which it destroys. */
static inline float pl_quality_shape(const pl_ecg_quality_t *k, float *wave, int8_t *shape, int32_t *peak)
{
    const int32_t n = k->points;
    float height = 0.0f, mean = 0.0f;
    for (int32_t i = 0; i < n; i++)
        mean += wave[i];
    mean *= k->inverse_points;
    for (int32_t i = 0; i < n; i++) {
        wave[i] -= mean;
        if (pl_absf(wave[i]) > height) {
            height = pl_absf(wave[i]);
            *peak = i;
        }
    }
    if (!(height > 1e-20f))
        height = 0.0f;
    const float gain = 127.0f / (height > 0.0f ? height : 1.0f);
    for (int32_t i = 0; i < n; i++)
        shape[i] = (int8_t)(height > 0.0f ? (int32_t)(wave[i] * gain) : 0);
    return height;
}

/* How alike two waveforms are: their correlation times the lower height over the higher. */
static inline float pl_quality_alike(const int8_t *a, float height_a, const int8_t *b, float height_b, int32_t n)
{
    const float product = (float)pl_quality_product(a, b, n);
    const float power = (float)pl_quality_product(a, a, n) * (float)pl_quality_product(b, b, n);
    const float most = height_a > height_b ? height_a : height_b, least = height_a > height_b ? height_b : height_a;
    return product / pl_sqrtf(power > 1.0f ? power : 1.0f) * (least / (most > 0.0f ? most : 1.0f));
}

/* Compares a beat with those before it, and puts it among them. */
static inline void pl_quality_compare(const pl_ecg_quality_t *k, pl_word_t *state, float *wave)
{
    pl_word_t *bin = pl_quality_bin(state), *heights = pl_quality_heights(k, state);
    int8_t *shapes = pl_quality_shapes(k, state), shape[PL_QUALITY_POINTS];
    const int32_t beats = state[PL_QUALITY_BEATS].i, next = state[PL_QUALITY_NEXT].i;
    int32_t peak = 0;
    const float height = pl_quality_shape(k, wave, shape, &peak);
    float best = 0.0f, second = 0.0f;
    for (int32_t i = 0; i < beats; i++) {
        const float alike = pl_quality_alike(shape, height, shapes + i * k->points, heights[i].f, k->points);
        if (alike > best) {
            second = best;
            best = alike;
        } else if (alike > second) {
            second = alike;
        }
    }
    if (peak - k->before > k->away || k->before - peak > k->away)
        second *= 0.5f;
    if (beats >= 3) {
        const int32_t similarity = (int32_t)(second * 1024.0f);
        bin[PL_BIN_BEATS].i += 1;
        bin[PL_BIN_SIMILARITY].i += similarity;
        bin[PL_BIN_SQUARES].i += similarity * similarity;
    }
    heights[next].f = height;
    for (int32_t i = 0; i < k->points; i++)
        shapes[next * k->points + i] = shape[i];
    state[PL_QUALITY_NEXT].i = next + 1 == PL_QUALITY_OTHERS ? 0 : next + 1;
    state[PL_QUALITY_BEATS].i = beats < PL_QUALITY_OTHERS ? beats + 1 : beats;
}

static inline void pl_quality_beat(const pl_ecg_quality_t *k, pl_word_t *state, float *row)
{
    pl_word_t *bin = pl_quality_bin(state);
    pl_quality_compare(k, state, row + 4);
    if (!(row[1] > 0.0f))
        return;
    const int32_t since = row[0] < 1.0f ? 1 : (int32_t)row[0];  /* beats count no further than PL_EP_LONGEST */
    if (since >= k->least_rr && since <= k->most_rr)
        bin[PL_BIN_COVERED].i += since;
    if (since > bin[PL_BIN_LONG].i)
        bin[PL_BIN_LONG].i = since;
    if (0x40000000 - since > bin[PL_BIN_SHORT].i)
        bin[PL_BIN_SHORT].i = 0x40000000 - since;
}

PL_RARE void pl_quality_next_bin(const pl_ecg_quality_t *k, pl_word_t *state)
{
    state[PL_QUALITY_PLACE].i = 0;
    state[PL_QUALITY_BIN].i = state[PL_QUALITY_BIN].i + 1 == k->bins ? 0 : state[PL_QUALITY_BIN].i + 1;
    pl_zero(pl_quality_bin(state), PL_BIN);
}

/* Counts a sample if it is neither flat nor saturated. */
static inline void pl_quality_sample(const pl_ecg_quality_t *k, pl_word_t *state, float x)
{
    const int32_t run = state[PL_QUALITY_RUN].i;
    state[PL_QUALITY_RUN].i = run == 0 || !(x >= state[PL_QUALITY_LAST].f && x <= state[PL_QUALITY_LAST].f) ? 1
                              : run < k->flat                                                            ? run + 1
                                                                                                         : run;
    state[PL_QUALITY_LAST].f = x;
    if (state[PL_QUALITY_RUN].i < k->flat && (!(k->full_scale > 0.0f) || pl_absf(x) < k->full_scale))
        pl_quality_bin(state)[PL_BIN_GOOD].i += 1;
}

PL_RARE float pl_quality_part(float x)
{
    return x > 0.0f ? (x < 1.0f ? x : 1.0f) : 0.0f;
}

/* y: quality, similarity, rhythm, contact over all bins. */
static inline void pl_quality_row(const pl_ecg_quality_t *k, const pl_word_t *state, float *y)
{
    int32_t sums[PL_BIN] = { 0, 0, 0, 0, 0, 0, 0 };
    const pl_word_t *bin = state + PL_QUALITY_BINS;
    for (int32_t i = 0; i < k->bins; i++, bin += PL_BIN)
        for (int32_t j = 0; j < PL_BIN; j++)
            sums[j] = j < PL_BIN_LONG ? sums[j] + bin[j].i : bin[j].i > sums[j] ? bin[j].i : sums[j];
    const float beats = sums[PL_BIN_BEATS] > 0 ? (float)sums[PL_BIN_BEATS] : 1.0f;
    const float mean = (float)sums[PL_BIN_SIMILARITY] / (beats * 1024.0f);
    const float variance = (float)sums[PL_BIN_SQUARES] / (beats * 1048576.0f) - mean * mean;
    const float similarity = mean - pl_sqrtf(variance > 0.0f ? variance : 0.0f);
    const float uneven = (float)sums[PL_BIN_LONG] / (float)(0x40000000 - sums[PL_BIN_SHORT]);
    const float even = 1.0f - 0.5f * pl_quality_part((uneven - 1.5f) / 1.5f);
    const float covered = (float)sums[PL_BIN_COVERED] / k->covered;
    y[1] = similarity > 0.0f ? similarity : 0.0f;
    y[2] = pl_quality_part(covered) * even;
    y[3] = (float)sums[PL_BIN_GOOD] / k->samples;
    const float missing = 1.0f - pl_quality_part(y[1] * y[2] * y[3]);
    y[0] = 1.0f - missing * missing * missing;
}

/* state: the words above, bins, heights, shapes, rows of beats, the state of the beats. */
static inline int32_t pl_ecg_quality_step(const void *constants, pl_word_t *state, const float *x, float *y)
{
    const pl_ecg_quality_t *k = (const pl_ecg_quality_t *)constants;
    pl_word_t *rows = pl_quality_rows(k, state);
    pl_quality_sample(k, state, x[0]);
    const int32_t found = pl_beats_step(k->beats, rows + k->beats_rows * k->width, x, &rows[0].f);
    for (int32_t i = 0; i < found; i++)
        pl_quality_beat(k, state, &rows[i * k->width].f);
    state[PL_QUALITY_PLACE].i += 1;
    if (state[PL_QUALITY_PLACE].i < k->hop)
        return 0;
    pl_quality_row(k, state, y);
    pl_quality_next_bin(k, state);
    return 1;
}

static inline uint32_t pl_ecg_quality_gap(const void *constants, pl_word_t *state, uint32_t lost)
{
    const pl_ecg_quality_t *k = (const pl_ecg_quality_t *)constants;
    const uint32_t hop = (uint32_t)k->hop, place = (uint32_t)state[PL_QUALITY_PLACE].i;
    const uint32_t ended = lost / hop + (lost % hop + place) / hop;
    (void)pl_beats_gap(k->beats, pl_quality_rows(k, state) + k->beats_rows * k->width, lost);
    for (uint32_t i = 0; i < ended && i < (uint32_t)k->bins; i++)
        pl_quality_next_bin(k, state);
    state[PL_QUALITY_PLACE].i = (int32_t)((lost % hop + place) % hop);
    state[PL_QUALITY_RUN].i = 0;
    return ended;
}

#endif
