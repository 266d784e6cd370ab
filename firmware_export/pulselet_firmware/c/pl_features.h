/* Pulselet runtime: features of windows. The same arithmetic as signal/features.py. */
#ifndef PL_FEATURES_H
#define PL_FEATURES_H

#include "pl_math.h"

/* In the order of features.py. */
enum {
    PL_MEAN, PL_STD, PL_MIN, PL_MAX, PL_RANGE, PL_RMS, PL_ABSOLUTE_DEVIATION, PL_ZERO_CROSSINGS, PL_MEAN_CROSSINGS,
    PL_ENERGY, PL_SKEWNESS, PL_KURTOSIS, PL_MEDIAN, PL_INTERQUARTILE_RANGE, PL_SLOPE, PL_JERK_RMS,
    PL_DOMINANT_HZ, PL_DOMINANT_SHARE, PL_CENTROID_HZ, PL_SPECTRAL_ENTROPY, PL_BAND_POWER, PL_BAND_SHARE
};

typedef struct {
    int32_t length, channels;
    int32_t count;               /* features of a channel */
    int32_t pairs;               /* 1: the correlations follow */
    const int32_t *codes;        /* count x (feature, place, band), those of time first */
    float sample_hz, slope_gain;
    int32_t quarter, three;      /* quartiles among the sorted samples, and the parts beyond */
    float quarter_part, three_part;
} pl_window_features_t;

typedef struct {
    const pl_window_features_t *each;
    const pl_rfft_t *fft;
    const float *hann;           /* its first half and its top */
    int32_t lobe;                /* bins from the top of a peak to its foot */
    const int32_t *bins;         /* edges of the bands */
    float bin_hz, power_gain, most_entropy;
} pl_spectral_features_t;

/* One channel of a window: its samples are stride floats apart. */
typedef struct {
    const float *x;
    int32_t length, stride;
    float offset, scale, m2;     /* mean without the first sample, largest deviation, mean square of the scaled ones */
    float *room;                 /* length floats to work in */
} pl_channel_t;

static inline float pl_nonzero(float x)
{
    return x > 0.0f ? x : 1.0f;
}

static inline float pl_deviation(const pl_channel_t *c, int32_t i)
{
    return (c->x[i * c->stride] - c->x[0]) - c->offset;
}

static inline float pl_scaled(const pl_channel_t *c, int32_t i)
{
    return pl_deviation(c, i) / pl_nonzero(c->scale);
}

static inline float pl_room_mean(const pl_channel_t *c)
{
    return pl_fold_sum(c->room, c->length) / (float)c->length;
}

/* Mean of the scaled deviations to a power, 2 to 4. */
PL_RARE float pl_moment(const pl_channel_t *c, int32_t power)
{
    for (int32_t i = 0; i < c->length; i++) {
        const float z = pl_scaled(c, i), square = z * z;
        c->room[i] = power == 2 ? square : power == 3 ? square * z : square * square;
    }
    return pl_room_mean(c);
}

PL_RARE void pl_channel_begin(pl_channel_t *c)
{
    for (int32_t i = 0; i < c->length; i++)
        c->room[i] = c->x[i * c->stride] - c->x[0];
    c->offset = pl_room_mean(c);
    c->scale = 0.0f;
    for (int32_t i = 0; i < c->length; i++) {
        const float size = pl_absf(pl_deviation(c, i));
        if (size > c->scale)
            c->scale = size;
    }
    c->m2 = pl_moment(c, 2);
}

/* Copies the samples into the room in ascending order (Shell 1959, gaps halved). */
static inline void pl_channel_sort(const pl_channel_t *c)
{
    float *v = c->room;
    for (int32_t i = 0; i < c->length; i++)
        v[i] = c->x[i * c->stride];
    for (int32_t gap = c->length / 2; gap > 0; gap = gap == 2 ? 1 : gap * 5 / 11)
        for (int32_t i = gap; i < c->length; i++) {
            const float moved = v[i];
            int32_t j = i;
            for (; j >= gap && v[j - gap] > moved; j -= gap)
                v[j] = v[j - gap];
            v[j] = moved;
        }
}

static inline float pl_channel_extreme(const pl_channel_t *c, int highest)
{
    float y = c->x[0];
    for (int32_t i = 1; i < c->length; i++) {
        const float v = c->x[i * c->stride];
        if (highest ? v > y : v < y)
            y = v;
    }
    return y + 0.0f;                             /* -0 becomes 0 */
}

static inline float pl_channel_crossings(const pl_channel_t *c, int of_mean)
{
    int32_t count = 0;
    int before = 0;
    for (int32_t i = 0; i < c->length; i++) {
        const int below = (of_mean ? pl_deviation(c, i) : c->x[i * c->stride]) < 0.0f;
        count += i > 0 && below != before;
        before = below;
    }
    return (float)count;
}

static inline float pl_channel_energy(const pl_channel_t *c)
{
    for (int32_t i = 0; i < c->length; i++)
        c->room[i] = c->x[i * c->stride] * c->x[i * c->stride];
    return pl_room_mean(c);
}

static inline float pl_channel_absolute(const pl_channel_t *c)
{
    for (int32_t i = 0; i < c->length; i++)
        c->room[i] = pl_absf(pl_deviation(c, i));
    return pl_room_mean(c);
}

static inline float pl_channel_slope(const pl_channel_t *c)
{
    const float middle = 0.5f * ((float)c->length - 1.0f);
    for (int32_t i = 0; i < c->length; i++)
        c->room[i] = ((float)i - middle) * pl_deviation(c, i);
    return pl_fold_sum(c->room, c->length);
}

static inline float pl_channel_jerk(const pl_channel_t *c)
{
    for (int32_t i = 0; i + 1 < c->length; i++) {
        const float step = c->x[(i + 1) * c->stride] - c->x[i * c->stride];
        c->room[i] = step * step;
    }
    return pl_sqrtf(pl_fold_sum(c->room, c->length - 1) / ((float)c->length - 1.0f));
}

static inline float pl_channel_median(const pl_channel_t *c)
{
    pl_channel_sort(c);
    return 0.5f * ((c->room[(c->length - 1) / 2] + 0.0f) + (c->room[c->length / 2] + 0.0f));
}

static inline float pl_channel_quartiles(const pl_window_features_t *k, const pl_channel_t *c)
{
    pl_channel_sort(c);
    const float *low = c->room + k->quarter, *high = c->room + k->three;
    const float q1 = (low[0] + 0.0f) + k->quarter_part * ((low[1] + 0.0f) - (low[0] + 0.0f));
    const float q3 = (high[0] + 0.0f) + k->three_part * ((high[1] + 0.0f) - (high[0] + 0.0f));
    return q3 - q1;
}

PL_RARE float pl_time_feature(const pl_window_features_t *k, const pl_channel_t *c, int32_t code)
{
    switch (code) {
    case PL_MEAN:
        return c->x[0] + c->offset;
    case PL_STD:
        return c->scale * pl_sqrtf(c->m2);
    case PL_MIN:
    case PL_MAX:
        return pl_channel_extreme(c, code == PL_MAX);
    case PL_RANGE:
        return pl_channel_extreme(c, 1) - pl_channel_extreme(c, 0);
    case PL_RMS:
        return pl_sqrtf(pl_channel_energy(c));
    case PL_ABSOLUTE_DEVIATION:
        return pl_channel_absolute(c);
    case PL_ZERO_CROSSINGS:
    case PL_MEAN_CROSSINGS:
        return pl_channel_crossings(c, code == PL_MEAN_CROSSINGS);
    case PL_ENERGY:
        return pl_channel_energy(c);
    case PL_SKEWNESS:
        return pl_moment(c, 3) / pl_nonzero(c->m2 * pl_sqrtf(c->m2));
    case PL_KURTOSIS:
        return c->m2 > 0.0f ? pl_moment(c, 4) / pl_nonzero(c->m2 * c->m2) - 3.0f : 0.0f;
    case PL_MEDIAN:
        return pl_channel_median(c);
    case PL_INTERQUARTILE_RANGE:
        return pl_channel_quartiles(k, c);
    case PL_SLOPE:
        return pl_channel_slope(c) * k->slope_gain;
    default:
        return pl_channel_jerk(c) * k->sample_hz;
    }
}

/* Puts the n/2 + 1 squared magnitudes of the scaled channel under a Hann window into the room. */
static inline void pl_channel_power(const pl_spectral_features_t *k, const pl_channel_t *c)
{
    for (int32_t i = 0; i < c->length; i++)
        c->room[i] = pl_scaled(c, i) * k->hann[i <= c->length / 2 ? i : c->length - i];
    for (int32_t i = c->length; i < k->fft->n; i++)
        c->room[i] = 0.0f;
    pl_rfft_power(k->fft, c->room);
}

typedef struct {
    float *power, *room;         /* n/2 + 1 bins, and room for n/2 */
    int32_t top, peak;           /* the last bin, the highest bin but the first */
    float total;
} pl_spectrum_t;

/* Sum over bins, end excluded, of their power. */
static inline float pl_bins_sum(const pl_spectrum_t *s, int32_t begin, int32_t end)
{
    for (int32_t i = begin; i < end; i++)
        s->room[i - begin] = s->power[i];
    return pl_fold_sum(s->room, end - begin);
}

static inline void pl_spectrum_begin(pl_spectrum_t *s)
{
    s->peak = 1;
    for (int32_t i = 2; i <= s->top; i++)
        if (s->power[i] > s->power[s->peak])
            s->peak = i;
    s->total = pl_bins_sum(s, 1, s->top + 1);
}

static inline float pl_dominant_bin(const pl_spectrum_t *s)
{
    const float *p = s->power + s->peak;
    if (s->peak > 1 && s->peak < s->top) {
        const float bend = (p[-1] - p[0]) + (p[1] - p[0]);
        if (bend < 0.0f)
            return (float)s->peak + 0.5f * (p[-1] - p[1]) / bend;
    }
    return (float)s->peak + 0.0f;
}

static inline float pl_dominant_power(const pl_spectrum_t *s, int32_t lobe)
{
    float near = 0.0f;
    for (int32_t i = s->peak - lobe; i <= s->peak + lobe; i++)
        near += i >= 1 && i <= s->top ? s->power[i] : 0.0f;
    return near;
}

static inline float pl_centroid_bin(const pl_spectrum_t *s)
{
    for (int32_t i = 1; i <= s->top; i++)
        s->room[i - 1] = (float)i * s->power[i];
    return pl_fold_sum(s->room, s->top) / pl_nonzero(s->total);
}

static inline float pl_spectral_entropy(const pl_spectrum_t *s)
{
    for (int32_t i = 1; i <= s->top; i++) {
        float share = s->power[i] / pl_nonzero(s->total);
        if (share < 1e-30f)
            share = 0.0f;
        s->room[i - 1] = share * pl_logf(share);
    }
    return pl_fold_sum(s->room, s->top);
}

PL_RARE float pl_spectral_feature(const pl_spectral_features_t *k, const pl_spectrum_t *s, float scale, const int32_t *code)
{
    const int32_t *bins = k->bins + code[2];
    switch (code[0]) {
    case PL_DOMINANT_HZ:
        return s->total > 0.0f ? pl_dominant_bin(s) * k->bin_hz : 0.0f;
    case PL_DOMINANT_SHARE:
        return pl_dominant_power(s, k->lobe) / pl_nonzero(s->total);
    case PL_CENTROID_HZ:
        return pl_centroid_bin(s) * k->bin_hz;
    case PL_SPECTRAL_ENTROPY:
        return 0.0f - pl_spectral_entropy(s) / k->most_entropy;
    case PL_BAND_POWER:
        return pl_bins_sum(s, bins[0], bins[1]) * k->power_gain * scale * scale;
    default:
        return pl_bins_sum(s, bins[0], bins[1]) / pl_nonzero(s->total);
    }
}

/* Writes the features of time, keeps what the correlations need, and returns how many codes that were. */
static inline int32_t pl_channel_features(const pl_window_features_t *k, pl_channel_t *c, pl_word_t *kept, float *y)
{
    int32_t i = 0;
    pl_channel_begin(c);
    kept[0].f = c->offset;
    kept[1].f = c->scale;
    kept[2].f = c->m2;
    for (; i < k->count && k->codes[3 * i] < PL_DOMINANT_HZ; i++)
        y[k->codes[3 * i + 1]] = pl_time_feature(k, c, k->codes[3 * i]);
    return i;
}

static inline pl_channel_t pl_channel(const pl_window_features_t *k, const float *x, int32_t channel, float *room)
{
    const pl_channel_t c = { x + channel, k->length, k->channels, 0.0f, 0.0f, 0.0f, room };
    return c;
}

static inline void pl_recall(pl_channel_t *c, const pl_word_t *kept)
{
    c->offset = kept[0].f;
    c->scale = kept[1].f;
    c->m2 = kept[2].f;
}

static inline void pl_correlations(const pl_window_features_t *k, const pl_word_t *kept, float *room, const float *x, float *y)
{
    for (int32_t i = 0; i < k->channels; i++)
        for (int32_t j = i + 1; j < k->channels; j++) {
            pl_channel_t a = pl_channel(k, x, i, room), b = pl_channel(k, x, j, room);
            pl_recall(&a, kept + 3 * i);
            pl_recall(&b, kept + 3 * j);
            for (int32_t t = 0; t < k->length; t++)
                room[t] = pl_scaled(&a, t) * pl_scaled(&b, t);
            const float r = pl_room_mean(&a) / pl_nonzero(pl_sqrtf(a.m2) * pl_sqrtf(b.m2));
            *y++ = r < -1.0f ? -1.0f : r > 1.0f ? 1.0f : r;
        }
}

/* state: offset, scale and second moment of each channel, then room for a window. */
static inline int32_t pl_window_features_step(const void *constants, pl_word_t *state, const float *x, float *y)
{
    const pl_window_features_t *k = (const pl_window_features_t *)constants;
    float *room = &state[3 * k->channels].f;
    for (int32_t i = 0; i < k->channels; i++) {
        pl_channel_t c = pl_channel(k, x, i, room);
        pl_channel_features(k, &c, state + 3 * i, y + i * k->count);
    }
    if (k->pairs)
        pl_correlations(k, state, room, x, y + k->channels * k->count);
    return 1;
}

/* state: offset, scale and second moment of each channel, then room for a window or n + 1 floats. */
static inline int32_t pl_spectral_features_step(const void *constants, pl_word_t *state, const float *x, float *y)
{
    const pl_spectral_features_t *s = (const pl_spectral_features_t *)constants;
    const pl_window_features_t *k = s->each;
    float *room = &state[3 * k->channels].f;
    for (int32_t i = 0; i < k->channels; i++) {
        const int32_t half = s->fft->n / 2;
        pl_channel_t c = pl_channel(k, x, i, room);
        pl_spectrum_t spectrum = { room, room + half + 1, half, 1, 0.0f };
        int32_t done = pl_channel_features(k, &c, state + 3 * i, y + i * k->count);
        pl_channel_power(s, &c);
        pl_spectrum_begin(&spectrum);
        for (; done < k->count; done++) {
            const int32_t *code = k->codes + 3 * done;
            y[i * k->count + code[1]] = pl_spectral_feature(s, &spectrum, c.scale, code);
        }
    }
    if (k->pairs)
        pl_correlations(k, state, room, x, y + k->channels * k->count);
    return 1;
}

#endif
