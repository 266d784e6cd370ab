/* Pulselet runtime: systolic peaks of a photoplethysmogram. The same arithmetic as signal/ppg_pulses.py.
 *
 * A rise of the filtered signal, from a minimum to the next maximum, is a candidate if it is high and steep enough. It
 * waits for `hold` samples, in case that a better one follows, and goes out if it rises above the mean around it. */
#ifndef PL_PPG_PULSES_H
#define PL_PPG_PULSES_H

#include "pl_filters.h"
#include "pl_math.h"

enum { PL_PULSES_KEPT = 7, PL_PULSES_RANK = 4, PL_PULSES_FARTHEST = 1 << 24 };

typedef struct {
    const pl_sos_t *filter, *slow;               /* one section each */
    int32_t delay, hold, refractory, learn, quiet, merge, early;   /* samples */
    float merge_part, score_part, above_part, early_part, learnt_score, learnt_above, least_part;
} pl_pulses_t;

/* A rise; places are sample numbers, which wrap round. */
typedef struct { pl_word_t foot_at, foot, slope, steep_at, steep, peak_at, peak; } pl_stroke_t;

typedef struct {
    pl_word_t at;                /* number of the next sample, lost ones counted */
    pl_word_t started, first, filter[3], slow[3], level;
    pl_word_t rising, has_stroke, has_pending;
    pl_stroke_t rise, stroke, pending;
    pl_word_t pending_valid, due, has_last, last_at, whole;
    pl_word_t learnt, since_at, least, best, height;
    pl_word_t scores[PL_PULSES_KEPT], above[PL_PULSES_KEPT];
} pl_pulses_state_t;

static inline uint32_t pl_pulses_between(pl_word_t from, pl_word_t to)
{
    return (uint32_t)to.i - (uint32_t)from.i;
}

static inline int32_t pl_pulses_counted(uint32_t samples)
{
    return samples < PL_PULSES_FARTHEST ? (int32_t)samples : PL_PULSES_FARTHEST;
}

static inline float pl_pulses_height(const pl_stroke_t *p)
{
    return p->peak.f - p->foot.f;
}

static inline float pl_pulses_score(const pl_stroke_t *p)
{
    return pl_sqrtf(pl_pulses_height(p) * p->slope.f);
}

/* Returns the usual value: floats here are never negative, so that their bits sort as integers do. */
PL_RARE float pl_pulses_usual(const pl_word_t *values)
{
    pl_word_t found = values[0];
    for (int32_t i = 0; i < PL_PULSES_KEPT; i++) {
        int32_t below = 0, same = 0;
        for (int32_t j = 0; j < PL_PULSES_KEPT; j++) {
            below += values[j].i < values[i].i;
            same += values[j].i == values[i].i;
        }
        if (below <= PL_PULSES_RANK && below + same > PL_PULSES_RANK)
            found = values[i];
    }
    return found.f;
}

static inline void pl_pulses_keep(pl_word_t *values, float newest)
{
    for (int32_t i = 1; i < PL_PULSES_KEPT; i++)
        values[i - 1] = values[i];
    values[PL_PULSES_KEPT - 1].f = newest;
}

/* Lets the waiting pulse go out, or drops it, after its hold. mean: of the signal around its peak by now. */
PL_RARE int32_t pl_pulses_decide(const pl_pulses_t *k, pl_pulses_state_t *s, float mean, float *y)
{
    const pl_stroke_t *p = &s->pending;
    const float usual = pl_pulses_usual(s->above);
    float above = usual;
    s->has_pending.i = 0;
    if (!s->due.i) {
        const int early = s->has_last.i && pl_pulses_between(s->last_at, p->peak_at) < (uint32_t)k->early;
        above = p->peak.f - mean;
        if (!(above > (early ? k->early_part : k->above_part) * usual)) {
            s->whole = s->pending_valid;
            return 0;
        }
    }
    pl_word_t from = s->last_at;
    if (!s->has_last.i)
        from.i = k->delay;
    const float before = (p->steep.f - p->foot.f) / p->slope.f;
    const float tangent = (float)(int32_t)pl_pulses_between(p->steep_at, p->peak_at) + before;
    const float whole = (float)(int32_t)pl_pulses_between(p->foot_at, p->peak_at);
    y[0] = (float)pl_pulses_counted(pl_pulses_between(from, p->peak_at));
    y[1] = (float)s->pending_valid.i;
    y[2] = (float)pl_pulses_counted(pl_pulses_between(p->peak_at, s->at) + (uint32_t)k->delay);
    y[3] = pl_pulses_height(p);
    y[4] = whole < tangent ? whole : tangent;
    pl_pulses_keep(s->scores, pl_pulses_score(p));
    pl_pulses_keep(s->above, above);
    s->due.i = 0;
    s->has_last.i = s->learnt.i = 1;
    s->last_at = p->peak_at;
    s->since_at = s->at;
    return 1;
}

/* Takes both rises as one if there is only a shoulder between them. */
static inline void pl_pulses_join(const pl_pulses_t *k, pl_pulses_state_t *s)
{
    pl_stroke_t *a = &s->stroke, *b = &s->rise;
    if (s->has_stroke.i && pl_pulses_between(a->peak_at, b->peak_at) <= (uint32_t)k->merge && b->peak.f > a->peak.f
        && a->peak.f - b->foot.f < k->merge_part * pl_pulses_height(a)) {
        b->foot_at = a->foot_at;
        b->foot = a->foot;
        if (a->slope.f >= b->slope.f) {
            b->slope = a->slope;
            b->steep_at = a->steep_at;
            b->steep = a->steep;
        }
    }
    *a = *b;
    s->has_stroke.i = 1;
}

/* Learns the usual score at the start, and anew when no pulse has come for long. */
static inline void pl_pulses_learn(const pl_pulses_t *k, pl_pulses_state_t *s, float score)
{
    const uint32_t age = pl_pulses_between(s->since_at, s->at);
    if (s->learnt.i && age >= (uint32_t)k->quiet && !s->has_pending.i) {
        s->learnt.i = 0;
        s->since_at = s->at;
        s->best.f = 0.0f;
        const float least = k->least_part * pl_pulses_usual(s->scores), before = 0.5f * s->least.f;
        s->least.f = least > before ? least : before;
    } else if (!s->learnt.i && age >= (uint32_t)k->learn && s->best.f > s->least.f) {
        s->learnt.i = 1;
        s->since_at = s->at;
        for (int32_t i = 0; i < PL_PULSES_KEPT; i++) {
            s->scores[i].f = k->learnt_score * s->best.f;
            s->above[i].f = k->learnt_above * s->height.f;
        }
    }
    if (!s->learnt.i && score > s->best.f) {
        s->best.f = score;
        s->height.f = pl_pulses_height(&s->stroke);
    }
}

static inline int pl_pulses_is_pulse(const pl_pulses_t *k, const pl_pulses_state_t *s, float score)
{
    if (s->has_last.i && pl_pulses_between(s->last_at, s->stroke.peak_at) < (uint32_t)k->refractory)
        return 0;
    const float usual = pl_pulses_usual(s->scores);   /* 0 before it has learnt for the first time */
    return usual > 0.0f && score > k->score_part * usual;
}

/* Takes a rise for a pulse, for a better place of the waiting one, or for neither. */
PL_RARE void pl_pulses_consider(const pl_pulses_t *k, pl_pulses_state_t *s)
{
    pl_pulses_join(k, s);
    const float score = pl_pulses_score(&s->stroke);
    pl_pulses_learn(k, s, score);
    if (s->has_pending.i) {
        if (score > pl_pulses_score(&s->pending))
            s->pending = s->stroke;
    } else if (pl_pulses_is_pulse(k, s, score)) {
        s->pending = s->stroke;
        s->pending_valid = s->whole;
        s->has_pending.i = s->whole.i = 1;
    }
}

static inline int32_t pl_pulses_step(const void *constants, pl_word_t *state, const float *x, float *y)
{
    const pl_pulses_t *k = (const pl_pulses_t *)constants;
    pl_pulses_state_t *s = (pl_pulses_state_t *)(void *)state;
    float level, mean;
    int32_t found = 0;
    if (!s->started.i) {
        s->started.i = 1;
        s->first.f = x[0];
    }
    const float shifted = x[0] - s->first.f;
    (void)pl_sos_step(k->filter, s->filter, &shifted, &level);
    (void)pl_sos_step(k->slow, s->slow, &shifted, &mean);
    if (s->has_pending.i && (s->due.i || pl_pulses_between(s->pending.peak_at, s->at) >= (uint32_t)k->hold))
        found = pl_pulses_decide(k, s, mean, y);
    const float rise = level - s->level.f;
    if (rise > 0.0f) {
        if (!s->rising.i) {
            s->rising.i = 1;
            s->rise.foot_at.i = s->at.i - 1;
            s->rise.foot = s->level;
            s->rise.slope.f = 0.0f;
        }
        if (rise > s->rise.slope.f) {
            s->rise.slope.f = rise;
            s->rise.steep_at = s->at;
            s->rise.steep.f = level;
        }
    } else if (s->rising.i) {
        s->rising.i = 0;
        s->rise.peak_at.i = s->at.i - 1;
        s->rise.peak = s->level;
        pl_pulses_consider(k, s);
    }
    s->level.f = level;
    s->at.i = (int32_t)((uint32_t)s->at.i + 1u);
    return found;
}

/* Lets what is further back than 2^30 samples follow: places count modulo 2^32, and are not to lap each other. */
PL_RARE void pl_pulses_near(pl_pulses_state_t *s)
{
    pl_stroke_t *p = &s->pending;
    const uint32_t age = pl_pulses_between(s->has_pending.i ? p->peak_at : s->last_at, s->at);
    if (age <= 1u << 30)
        return;
    const uint32_t on = age - (1u << 30);
    pl_word_t *const places[4] = { &s->last_at, &p->foot_at, &p->steep_at, &p->peak_at };
    for (int32_t i = 0; i < 4; i++)
        places[i]->i = (int32_t)((uint32_t)places[i]->i + on);
}

/* Counts on over lost samples; the interval over them is not valid, and the waiting pulse goes out after them. */
static inline uint32_t pl_pulses_gap(const void *constants, pl_word_t *state, uint32_t lost)
{
    pl_pulses_state_t *s = (pl_pulses_state_t *)(void *)state;
    (void)constants;
    s->at.i = (int32_t)((uint32_t)s->at.i + lost);
    s->since_at.i = (int32_t)((uint32_t)s->since_at.i + lost);
    pl_pulses_near(s);
    s->started.i = s->rising.i = s->has_stroke.i = s->whole.i = 0;
    pl_zero(s->filter, 3);
    pl_zero(s->slow, 3);
    s->level.f = 0.0f;
    s->due = s->has_pending;
    return 0;
}

#endif
