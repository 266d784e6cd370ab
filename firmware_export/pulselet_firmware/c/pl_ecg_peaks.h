/* Pulselet runtime: R peaks of one lead of ECG. The same arithmetic as signal/ecg_peaks.py. */
#ifndef PL_ECG_PEAKS_H
#define PL_ECG_PEAKS_H

#include "pl_filters.h"

enum { /* sizes of the net and of what is remembered */
    PL_EP_SNIPPET = 23, PL_EP_AROUND = 13, PL_EP_RECENT = 3, PL_EP_KEPT = 9, PL_EP_BEATS = 7, PL_EP_HIDDEN = 16,
    PL_EP_DYNAMIC = 8, PL_EP_STATIC = PL_EP_SNIPPET + PL_EP_AROUND + 2 + 6 + 2 * PL_EP_RECENT + 1 + 2,
    PL_EP_UNIT = 4096, PL_EP_SURE = 3 * PL_EP_UNIT / 2, PL_EP_MAYBE = 0, PL_EP_LEAST = -2 * PL_EP_UNIT,
    PL_EP_SMALL = -600, PL_EP_SAME = 150, PL_EP_STEADY = 100, PL_EP_ALIKE = 180, PL_EP_FAR = 4096, PL_EP_LONGEST = 1 << 30
};

typedef struct {
    const pl_sos_t *band, *high, *smooth, *slow;
    int32_t decimate, apart, low_kept, raw_kept, slow_at, high_from, high_to, tick, delay, search, arm, settle;
    int32_t refractory, wait, overdue, second, usual, cold, out_bias;
    float share;                 /* 1 / decimate */
    const int8_t *snippet, *around;
    const int32_t *recent;
    const int8_t *weights;       /* hidden x (static, dynamic) */
    const int32_t *bias, *out;
} pl_ecg_peaks_t;

/* One candidate: a peak of the envelope. */
typedef struct {
    uint32_t time;               /* samples at the low rate */
    int32_t level, high;         /* 256 log2 */
    int32_t refused;             /* search-back may find it */
    int32_t score;               /* log odds of a beat */
    uint32_t r;                  /* sample of its R peak */
    float amplitude;
    int8_t shape[24];            /* of the QRS, at most 64 */
} pl_ep_candidate_t;

/* All zero at the start. Behind it follow 4 x low_kept and raw_kept floats: rings. */
typedef struct {
    int32_t begun;               /* 0: before the start; 1: after a gap; 2: within samples */
    int32_t waiting;             /* samples of the block that is being averaged */
    float sum;
    int32_t raw_at, low_at;      /* where the rings' oldest values are */
    uint32_t samples, time, origin;
    pl_word_t band[5], high[5], smooth[3], smooth_high[3], slow[3];
    pl_ep_candidate_t kept[PL_EP_KEPT];
    int32_t newest;              /* place of the newest candidate */
    int32_t pending;             /* 1 + place of the candidate that waits; 0: none */
    int32_t known;               /* no gap since the last beat */
    uint32_t last, last_r;       /* time and sample of the last beat */
    int32_t best, beats, intervals, usual, high_level, high_high;
    int32_t levels[PL_EP_BEATS], highs[PL_EP_BEATS], lengths[PL_EP_BEATS];
    int32_t sorted[PL_EP_BEATS];
    int32_t hidden[PL_EP_HIDDEN];
} pl_ep_state_t;

/* The words that signal/ecg_peaks.py counts with. */
typedef char pl_ep_state_size[sizeof(pl_ep_state_t) == 199 * 4 ? 1 : -1];

static inline int32_t pl_ep_log(float x)
{
    pl_word_t w;
    w.f = x;
    return w.i >> 15;
}

PL_RARE int32_t pl_ep_clip(int32_t x, int32_t low, int32_t high)
{
    return x < low ? low : x > high ? high : x;
}

static inline float *pl_ep_rings(pl_ep_state_t *s)
{
    return (float *)(void *)(s + 1);
}

/* Value of a ring of the low rate, `age` samples before the newest. ring: band-passed, envelope, high envelope, slow. */
PL_RARE float pl_ep_low(const pl_ecg_peaks_t *k, pl_ep_state_t *s, int32_t ring, int32_t age)
{
    int32_t at = s->low_at - 1 - age;
    if (at < 0)
        at += k->low_kept;
    return pl_ep_rings(s)[ring * k->low_kept + at];
}

PL_RARE float pl_ep_raw(const pl_ecg_peaks_t *k, pl_ep_state_t *s, int32_t age)
{
    int32_t at = s->raw_at - 1 - age;
    if (at < 0)
        at += k->raw_kept;
    return pl_ep_rings(s)[4 * k->low_kept + at];
}

/* Puts a value behind the others, of which `count` are there already; returns how many are there now. */
PL_RARE int32_t pl_ep_push(int32_t *values, int32_t count, int32_t value)
{
    if (count == PL_EP_BEATS) {
        for (int32_t i = 1; i < PL_EP_BEATS; i++)
            values[i - 1] = values[i];
        count--;
    }
    values[count] = value;
    return count + 1;
}

/* Returns the value that has `rank` smaller ones before it. */
PL_RARE int32_t pl_ep_ranked(pl_ep_state_t *s, const int32_t *values, int32_t count, int32_t rank)
{
    for (int32_t i = 0; i < count; i++) {
        int32_t j = i;
        for (; j > 0 && s->sorted[j - 1] > values[i]; j--)
            s->sorted[j] = s->sorted[j - 1];
        s->sorted[j] = values[i];
    }
    return s->sorted[rank];
}

PL_RARE int32_t pl_ep_second_highest(pl_ep_state_t *s, const int32_t *values)
{
    return pl_ep_ranked(s, values, s->beats, s->beats > 2 ? s->beats - 2 : s->beats - 1);
}

/* Accepts a candidate and writes its row. */
PL_RARE void pl_ep_take(const pl_ecg_peaks_t *k, pl_ep_state_t *s, pl_ep_candidate_t *c, float *y)
{
    const uint32_t since = c->r - s->last_r;
    y[0] = (float)(int32_t)(since < PL_EP_LONGEST ? since : PL_EP_LONGEST);
    y[1] = s->known ? 1.0f : 0.0f;
    y[2] = (float)(int32_t)(s->samples - 1 - c->r);
    y[3] = c->amplitude;
    if (s->known) {
        const int32_t interval = (int32_t)(c->time - s->last);
        if (interval < 2 * k->second) {
            s->intervals = pl_ep_push(s->lengths, s->intervals, interval);
            s->usual = pl_ep_ranked(s, s->lengths, s->intervals, s->intervals / 2);
        }
    }
    s->known = 1;
    s->last = c->time;
    s->last_r = c->r;
    pl_ep_push(s->levels, s->beats, c->level);
    s->beats = pl_ep_push(s->highs, s->beats, c->high);
    s->high_level = pl_ep_second_highest(s, s->levels);
    s->high_high = pl_ep_second_highest(s, s->highs);
    s->best = -1;
    for (int32_t i = 0; i < PL_EP_KEPT; i++) {
        pl_ep_candidate_t *o = &s->kept[i];
        if ((int32_t)(o->time - c->time) < k->refractory)
            o->refused = 0;
        if (o->refused && o->level > s->best)
            s->best = o->level;
    }
}

/* The candidate `back` before the newest. */
PL_RARE pl_ep_candidate_t *pl_ep_back(pl_ep_state_t *s, int32_t back)
{
    return &s->kept[(s->newest + PL_EP_KEPT - back) % PL_EP_KEPT];
}

/* Takes what is due: a candidate that has waited long enough, or the best refused. Returns the rows written. */
static inline int32_t pl_ep_timers(const pl_ecg_peaks_t *k, pl_ep_state_t *s, float *y)
{
    pl_ep_candidate_t *chosen = 0;
    if (s->pending) {
        chosen = &s->kept[s->pending - 1];
        if ((int32_t)(s->time - chosen->time) < k->wait)
            return 0;
        s->pending = 0;
        chosen->refused = 0;
    } else {
        const int32_t late = s->usual * 8 / 5;
        if (!s->known || (int32_t)(s->time - s->last) < (late < k->overdue ? late : k->overdue))
            return 0;
        int32_t most = PL_EP_LEAST;
        for (int32_t i = 1; i <= PL_EP_KEPT; i++) {          /* from the oldest */
            pl_ep_candidate_t *o = pl_ep_back(s, PL_EP_KEPT - i);
            if (o->refused && o->score > most) {
                most = o->score;
                chosen = o;
            }
        }
        if (!chosen)
            return 0;
    }
    pl_ep_take(k, s, chosen, y);
    return 1;
}

/* Whether the envelope's value `apart` samples ago is a candidate. */
static inline int pl_ep_is_peak(const pl_ecg_peaks_t *k, pl_ep_state_t *s)
{
    const float top = pl_ep_low(k, s, 1, k->apart);
    if (!(top > pl_ep_low(k, s, 1, k->apart + 1)))
        return 0;
    for (int32_t i = 1; i <= k->apart; i++)
        if (pl_ep_low(k, s, 1, k->apart - i) > top || pl_ep_low(k, s, 1, k->apart + i) >= top)
            return 0;
    return 1;
}

/* Finds the sharpest point near the candidate, and the amplitude there. */
static inline void pl_ep_r_peak(const pl_ecg_peaks_t *k, pl_ep_state_t *s, pl_ep_candidate_t *c)
{
    const int32_t middle = k->apart * k->decimate + k->delay;
    float above = 0.0f, below = 0.0f, most = 0.0f, least = 0.0f;
    int32_t peak = 0, valley = 0;
    for (int32_t i = -k->search; i <= k->search; i++) {
        const float v = pl_ep_raw(k, s, middle - i);
        const float sharp = 2.0f * v - pl_ep_raw(k, s, middle - i + k->arm) - pl_ep_raw(k, s, middle - i - k->arm);
        const int first = i == -k->search;
        if (first || sharp > above) {
            above = sharp;
            peak = i;
        }
        if (first || sharp < below) {
            below = sharp;
            valley = i;
        }
        if (first || v > most)
            most = v;
        if (first || v < least)
            least = v;
    }
    c->r = s->samples - 1 - (uint32_t)middle + (uint32_t)(-below > 1.5f * above ? valley : peak);
    c->amplitude = (int32_t)(c->r - s->origin) < k->settle ? 0.0f : most - least;
}

/* Adds an input of the net to its hidden layer. */
PL_RARE int32_t pl_ep_feed(const pl_ecg_peaks_t *k, pl_ep_state_t *s, int32_t input, int32_t value)
{
    value = pl_ep_clip(value, -1024, 1024);
    for (int32_t h = 0; h < PL_EP_HIDDEN; h++)
        s->hidden[h] += k->weights[h * (PL_EP_STATIC + PL_EP_DYNAMIC) + input] * value;
    return input + 1;
}

static inline int32_t pl_ep_energy(const int8_t *shape)
{
    int32_t sum = 0;
    for (int32_t i = 0; i < PL_EP_SNIPPET; i++)
        sum += shape[i] * shape[i];
    return sum;
}

/* Returns how like two shapes are; 256: the same. */
PL_RARE int32_t pl_ep_likeness(const int8_t *mine, const int8_t *theirs)
{
    const int32_t a = pl_ep_energy(mine), b = pl_ep_energy(theirs), more = a > b ? a : b;
    int32_t best = 0;
    for (int32_t shift = 0; shift < 3; shift++) {
        int32_t sum = 0;
        for (int32_t i = 1; i < PL_EP_SNIPPET - 1; i++)
            sum += mine[i] * theirs[i - 1 + shift];
        best = sum > best ? sum : best;
    }
    return more > 0 ? best * 256 / more : 0;
}

/* Notes the shape of the QRS, and returns its largest value. */
static inline float pl_ep_shape(const pl_ecg_peaks_t *k, pl_ep_state_t *s, pl_ep_candidate_t *c)
{
    float top = 1e-30f;
    for (int32_t i = 0; i < PL_EP_SNIPPET; i++) {
        const float v = pl_ep_low(k, s, 0, k->apart - k->snippet[i]), size = v < 0.0f ? -v : v;
        top = size > top ? size : top;
    }
    const float gain = 64.0f / top;
    for (int32_t i = 0; i < PL_EP_SNIPPET; i++)
        c->shape[i] = (int8_t)(int32_t)(pl_ep_low(k, s, 0, k->apart - k->snippet[i]) * gain);
    return top;
}

/* Describes the QRS itself. */
static inline int32_t pl_ep_feed_shape(const pl_ecg_peaks_t *k, pl_ep_state_t *s, const pl_ep_candidate_t *c, float top)
{
    int32_t input = 0;
    for (int32_t i = 0; i < PL_EP_SNIPPET; i++)
        input = pl_ep_feed(k, s, input, 8 * (c->shape[i] < 0 ? -c->shape[i] : c->shape[i]));
    for (int32_t i = 0; i < PL_EP_AROUND; i++)
        input = pl_ep_feed(k, s, input, pl_ep_log(pl_ep_low(k, s, 1, k->apart - k->around[i])) - c->level);
    const float slow = pl_ep_low(k, s, 3, k->apart - k->slow_at);
    input = pl_ep_feed(k, s, input, pl_ep_log(slow > 0.0f ? slow : 0.0f) - c->level);
    return pl_ep_feed(k, s, input, pl_ep_log(top) - c->level);
}

/* Describes the candidates before. */
static inline int32_t pl_ep_feed_before(const pl_ecg_peaks_t *k, pl_ep_state_t *s, int32_t input)
{
    const pl_ep_candidate_t *c = pl_ep_back(s, 0);
    for (int32_t back = 1; back <= 3; back++) {
        const pl_ep_candidate_t *o = pl_ep_back(s, back);
        const int32_t ago = pl_ep_clip((int32_t)(c->time - o->time), 0, 4095);
        input = pl_ep_feed(k, s, input, o->level - c->level);
        input = pl_ep_feed(k, s, input, pl_ep_clip((ago * k->tick) >> 8, 0, 512));
    }
    for (int32_t which = 0; which < 2; which++)
        for (int32_t i = 0; i < PL_EP_RECENT; i++) {
            int32_t most = -1024;
            for (int32_t back = 1; back < PL_EP_KEPT; back++) {
                const pl_ep_candidate_t *o = pl_ep_back(s, back);
                const int32_t more = which ? o->high - c->high : o->level - c->level;
                if ((int32_t)(c->time - o->time) <= k->recent[i] && more > most)
                    most = more;
            }
            input = pl_ep_feed(k, s, input, most);
        }
    return input;
}

/* Compares with the two candidates before that are highest in the high band. */
static inline void pl_ep_compare(pl_ep_state_t *s, int32_t likeness[2])
{
    const pl_ep_candidate_t *c = pl_ep_back(s, 0), *first = 0;
    for (int32_t turn = 0; turn < 2; turn++) {
        const pl_ep_candidate_t *chosen = 0;
        for (int32_t back = 1; back < PL_EP_KEPT; back++) {
            const pl_ep_candidate_t *o = pl_ep_back(s, back);
            if (o != first && (!chosen || o->high > chosen->high))
                chosen = o;
        }
        likeness[turn] = pl_ep_likeness(c->shape, chosen->shape);
        first = chosen;
    }
}

PL_RARE int32_t pl_ep_log_of(int32_t count)
{
    return pl_ep_log((float)pl_ep_clip(count, 0, 8191));
}

static inline int32_t pl_ep_size(int32_t x)
{
    return x < 0 ? -x : x;
}

/* Returns 1 for what is plainly a beat like those before, -1 for what is far too small, 0 for the net to decide. */
static inline int32_t pl_ep_plain(const pl_ep_state_t *s, const pl_ep_candidate_t *c, int32_t late, int32_t likeness)
{
    const int32_t level = c->level - s->high_level, high = c->high - s->high_high;
    if (s->beats < PL_EP_BEATS)
        return 0;
    if (level < PL_EP_SMALL && high < PL_EP_SMALL)
        return -1;
    return pl_ep_size(level) < PL_EP_SAME && pl_ep_size(high) < PL_EP_SAME && likeness > PL_EP_ALIKE
        && pl_ep_size(late) < PL_EP_STEADY;
}

/* Describes the candidate by the beats before. late: log of the interval over the usual one. */
static inline void pl_ep_feed_beats(const pl_ecg_peaks_t *k, pl_ep_state_t *s, const pl_ep_candidate_t *c, int32_t log, int32_t late)
{
    late = pl_ep_clip(late, -768, 512);
    int32_t input = pl_ep_feed(k, s, PL_EP_STATIC, late);
    input = pl_ep_feed(k, s, input, late < 0 ? -late : 0);
    input = pl_ep_feed(k, s, input, late > 0 ? late : 0);
    input = pl_ep_feed(k, s, input, pl_ep_clip(log - k->cold, -768, 512));
    input = pl_ep_feed(k, s, input, c->level - s->best);
    input = pl_ep_feed(k, s, input, 32 * s->beats);
    input = pl_ep_feed(k, s, input, s->beats ? c->level - s->high_level : 0);
    pl_ep_feed(k, s, input, s->beats ? c->high - s->high_high : 0);
}

static inline int32_t pl_ep_score(const pl_ecg_peaks_t *k, const pl_ep_state_t *s)
{
    int64_t sum = k->out_bias;
    for (int32_t h = 0; h < PL_EP_HIDDEN; h++)
        if (s->hidden[h] > 0)
            sum += (int64_t)k->out[h] * s->hidden[h];
    return (int32_t)(sum / 256);
}

/* Sets a candidate down among those refused. */
static inline void pl_ep_refuse(pl_ep_state_t *s, pl_ep_candidate_t *c)
{
    c->refused = 1;
    if (c->level > s->best)
        s->best = c->level;
}

/* Describes the newest candidate, weighs it and decides. Returns the rows written. */
PL_RARE int32_t pl_ep_weigh(const pl_ecg_peaks_t *k, pl_ep_state_t *s, float *y)
{
    s->newest = s->newest + 1 < PL_EP_KEPT ? s->newest + 1 : 0;
    pl_ep_candidate_t *c = pl_ep_back(s, 0);
    pl_ep_back(s, PL_EP_KEPT - 1)->refused = 0;
    c->time = s->time - (uint32_t)k->apart;
    c->level = pl_ep_log(pl_ep_low(k, s, 1, k->apart));
    c->refused = 0;
    float high = 0.0f;
    for (int32_t i = k->high_from; i <= k->high_to; i++) {
        const float v = pl_ep_low(k, s, 2, k->apart - i);
        high = v > high ? v : high;
    }
    c->high = pl_ep_log(high);
    pl_ep_r_peak(k, s, c);
    const float top = pl_ep_shape(k, s, c);
    const int32_t interval = s->known ? (int32_t)(c->time - s->last) : k->second;
    if (interval < k->refractory || !(c->amplitude > 0.0f))
        return 0;
    int32_t likeness[2];
    pl_ep_compare(s, likeness);
    const int32_t log = pl_ep_log_of(interval), late = log - pl_ep_log_of(s->usual);
    const int32_t plain = pl_ep_plain(s, c, late, likeness[0]);
    if (plain < 0)
        return 0;
    if (plain == 0) {
        for (int32_t h = 0; h < PL_EP_HIDDEN; h++)
            s->hidden[h] = k->bias[h];
        int32_t input = pl_ep_feed_before(k, s, pl_ep_feed_shape(k, s, c, top));
        input = pl_ep_feed(k, s, input, c->high - c->level);
        input = pl_ep_feed(k, s, input, likeness[0]);
        pl_ep_feed(k, s, input, likeness[1]);
        pl_ep_feed_beats(k, s, c, log, late);
        c->score = pl_ep_score(k, s);
    }
    if (plain > 0 || c->score > PL_EP_SURE) {
        s->pending = 0;
        pl_ep_take(k, s, c, y);
        return 1;
    }
    if (c->score > PL_EP_MAYBE && (!s->pending || c->score > s->kept[s->pending - 1].score)) {
        pl_ep_candidate_t *before = s->pending ? &s->kept[s->pending - 1] : 0;
        s->pending = s->newest + 1;
        c = before;
    }
    if (c)
        pl_ep_refuse(s, c);
    return 0;
}

/* Begins with the first sample after the start or a gap: as if it had been there for ever. */
PL_RARE void pl_ep_begin(const pl_ecg_peaks_t *k, pl_ep_state_t *s, float x)
{
    if (s->begun == 0) {
        s->time = PL_EP_FAR;
        s->usual = k->usual;
        s->best = -1;
    }
    for (int32_t i = 0; i < k->raw_kept; i++)
        pl_ep_rings(s)[4 * k->low_kept + i] = x;
    s->begun = 2;
}

PL_RARE float pl_ep_filter(const pl_sos_t *k, pl_word_t *state, float x)
{
    float y;
    pl_sos_step(k, state, &x, &y);
    return y;
}

/* Filters one sample of the low rate into the rings. */
static inline void pl_ep_envelopes(const pl_ecg_peaks_t *k, pl_ep_state_t *s, float low)
{
    float *ring = pl_ep_rings(s) + s->low_at;
    const float y = pl_ep_filter(k->band, s->band, low), h = pl_ep_filter(k->high, s->high, low);
    const float e = pl_ep_filter(k->smooth, s->smooth, y < 0.0f ? -y : y);
    const float eh = pl_ep_filter(k->smooth, s->smooth_high, h < 0.0f ? -h : h);
    ring[0] = y;
    ring[k->low_kept] = e > 1e-30f ? e : 1e-30f;
    ring[2 * k->low_kept] = eh > 1e-30f ? eh : 1e-30f;
    ring[3 * k->low_kept] = pl_ep_filter(k->slow, s->slow, ring[k->low_kept]);
    s->low_at = s->low_at + 1 < k->low_kept ? s->low_at + 1 : 0;
}

/* Takes one sample; writes up to two rows: since, valid, lag, amplitude. */
static inline int32_t pl_ecg_peaks_step(const void *constants, pl_word_t *state, const float *x, float *y)
{
    const pl_ecg_peaks_t *k = (const pl_ecg_peaks_t *)constants;
    pl_ep_state_t *s = (pl_ep_state_t *)(void *)state;
    if (s->begun != 2)
        pl_ep_begin(k, s, *x);
    pl_ep_rings(s)[4 * k->low_kept + s->raw_at] = *x;
    s->raw_at = s->raw_at + 1 < k->raw_kept ? s->raw_at + 1 : 0;
    s->samples++;
    s->sum = s->waiting ? s->sum + *x : *x;
    if (++s->waiting < k->decimate)
        return 0;
    s->waiting = 0;
    pl_ep_envelopes(k, s, s->sum * k->share);
    int32_t rows = pl_ep_timers(k, s, y);
    if (pl_ep_is_peak(k, s))
        rows += pl_ep_weigh(k, s, y + 4 * rows);
    s->time++;
    return rows;
}

/* Levels and intervals stay known, samples go on counting; the rest starts anew. */
static inline uint32_t pl_ecg_peaks_gap(const void *constants, pl_word_t *state, uint32_t lost)
{
    const pl_ecg_peaks_t *k = (const pl_ecg_peaks_t *)constants;
    pl_ep_state_t *s = (pl_ep_state_t *)(void *)state;
    if (s->begun == 0)
        pl_ep_begin(k, s, 0.0f);
    s->begun = 1;
    s->waiting = s->pending = s->known = 0;
    s->best = -1;
    s->time = PL_EP_FAR;
    s->samples += lost;
    if (s->samples - s->last_r > PL_EP_LONGEST)  /* a pause counts no further, so never past 2^32 */
        s->last_r = s->samples - PL_EP_LONGEST;
    s->origin = s->samples;
    s->band[0].i = s->high[0].i = s->smooth[0].i = s->smooth_high[0].i = s->slow[0].i = 0;
    pl_zero((pl_word_t *)(void *)s->kept, (int32_t)(sizeof s->kept / 4u));
    pl_zero((pl_word_t *)(void *)pl_ep_rings(s), 4 * k->low_kept);
    return 0;
}

#endif
