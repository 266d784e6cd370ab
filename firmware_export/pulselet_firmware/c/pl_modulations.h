/* Pulselet runtime: what breathing modulates in heartbeats. The same as signal/modulations.py. */
#ifndef PL_MODULATIONS_H
#define PL_MODULATIONS_H

#include "pl_filters.h"

typedef struct {
    int32_t step, slot;                /* a row every slot / step samples */
    int32_t delay, ring;               /* rows that wait; room for them and for those of a gap */
    int32_t longest;                   /* samples of an interval that still joins two beats, or of a gap that is held */
    int32_t foot;                      /* column of the samples from foot to peak, 0: none, the amplitude is taken */
    int32_t slow_words, words;         /* of state: the slow filter's, all */
    float period;
    const pl_sos_t *slow;
    const void *beats;
} pl_modulations_t;

/* state: phase, rows that wait, place of the oldest, whether an interval is known; shape, interval and foot of the last
 * beat; shape and interval of the last row; samples lost since the last one, and 1, or 0 before the first; the slow
 * filter's last; ring of rows; the states of the slow filter and of the detector. */
enum {
    PL_MOD_PHASE, PL_MOD_WAITING, PL_MOD_OLDEST, PL_MOD_KNOWN, PL_MOD_BEAT, PL_MOD_LAST = 7, PL_MOD_LOST = 9,
    PL_MOD_LEVEL, PL_MOD_RING
};
enum { PL_MOD_EMPTY, PL_MOD_HELD, PL_MOD_COVERED };

/* The row that is the i-th oldest: baseline, shape, interval, and how it came to them. */
static inline pl_word_t *pl_modulations_row(const pl_modulations_t *k, pl_word_t *state, int32_t i)
{
    int32_t at = state[PL_MOD_OLDEST].i + i;
    at = at < k->ring ? at : at - k->ring;
    return state + PL_MOD_RING + 4 * at;
}

static inline pl_word_t *pl_modulations_slow(const pl_modulations_t *k, pl_word_t *state)
{
    return state + PL_MOD_RING + 4 * k->ring;
}

static inline pl_word_t *pl_modulations_beats(const pl_modulations_t *k, pl_word_t *state)
{
    return pl_modulations_slow(k, state) + k->slow_words;
}

static inline int32_t pl_modulations_clip(float x, int32_t most)
{
    return !(x > 0.0f) ? 0 : x < (float)most ? (int32_t)x : most;
}

/* Fills rows up to a beat: on the way from the last one, or, if they are not joined, with what it says. */
PL_RARE void pl_modulations_beat(const pl_modulations_t *k, pl_word_t *state, const float *event)
{
    const int32_t since = pl_modulations_clip(event[0], k->longest + 1), lag = pl_modulations_clip(event[2], 4 * k->longest);
    const int32_t valid = event[1] > 0.5f && since > 0 && since <= k->longest, known = state[PL_MOD_KNOWN].i;
    const int32_t age_b = lag * k->step, age_a = age_b + since * k->step, waiting = state[PL_MOD_WAITING].i;
    const float shape_a = state[PL_MOD_BEAT].f, interval_a = state[PL_MOD_BEAT + 1].f;
    const float foot = k->foot ? event[k->foot] : 0.0f, shape = k->foot ? foot * k->period : event[3];
    const float samples = ((float)since + state[PL_MOD_BEAT + 2].f) - foot;
    const float interval = valid ? samples * k->period : interval_a;
    int32_t age = state[PL_MOD_PHASE].i + (waiting - 1) * k->slot;
    for (int32_t i = 0; i < waiting && age >= age_b; i++, age -= k->slot) {
        pl_word_t *row = pl_modulations_row(k, state, i);
        const int between = age < age_a;
        if (valid && known) {
            if (between) {
                const float part = (float)(age - age_b) / (float)(since * k->step);
                row[1].f = shape + (shape_a - shape) * part;
                row[2].f = interval + (interval_a - interval) * part;
                row[3].i = PL_MOD_COVERED;
            }
        } else if ((valid || known) && row[3].i == PL_MOD_EMPTY) {
            row[1].f = shape;
            row[2].f = interval;
            row[3].i = between && valid ? PL_MOD_COVERED : PL_MOD_HELD;
        }
    }
    state[PL_MOD_BEAT].f = shape;
    state[PL_MOD_BEAT + 1].f = interval;
    state[PL_MOD_BEAT + 2].f = foot;
    state[PL_MOD_KNOWN].i = valid || known;
}

/* Adds the rows that are complete once the phase has moved on. */
static inline void pl_modulations_complete(const pl_modulations_t *k, pl_word_t *state)
{
    while (state[PL_MOD_PHASE].i >= k->slot) {
        pl_word_t *row = pl_modulations_row(k, state, state[PL_MOD_WAITING].i++);
        state[PL_MOD_PHASE].i -= k->slot;
        row[0].f = state[PL_MOD_LEVEL].f;
        row[3].i = PL_MOD_EMPTY;
    }
}

/* Takes out the oldest row. */
static inline void pl_modulations_give(const pl_modulations_t *k, pl_word_t *state, float *y)
{
    const pl_word_t *row = pl_modulations_row(k, state, 0);
    if (row[3].i != PL_MOD_EMPTY) {
        state[PL_MOD_LAST].f = row[1].f;
        state[PL_MOD_LAST + 1].f = row[2].f;
    }
    y[0] = row[0].f;
    y[1] = state[PL_MOD_LAST].f;
    y[2] = state[PL_MOD_LAST + 1].f;
    y[3] = row[3].i == PL_MOD_COVERED ? 1.0f : 0.0f;
    state[PL_MOD_WAITING].i--;
    state[PL_MOD_OLDEST].i = state[PL_MOD_OLDEST].i + 1 < k->ring ? state[PL_MOD_OLDEST].i + 1 : 0;
}

/* Folds a sample and the beats that were found with it. */
PL_RARE int32_t pl_modulations_fold(const pl_modulations_t *k, pl_word_t *state, const float *x, const float *events,
                                    int32_t count, int32_t width, float *y)
{
    int32_t rows = 0;
    pl_sos_step(k->slow, pl_modulations_slow(k, state), x, &state[PL_MOD_LEVEL].f);
    state[PL_MOD_LOST].i = 1;
    state[PL_MOD_PHASE].i += k->step;
    pl_modulations_complete(k, state);
    for (int32_t i = 0; i < count; i++)
        pl_modulations_beat(k, state, events + i * width);
    for (; state[PL_MOD_WAITING].i > k->delay; rows++)
        pl_modulations_give(k, state, y + 4 * rows);
    return rows;
}

/* Returns 1 if a gap is short enough, and holds it; the detector is to be told. */
PL_RARE int pl_modulations_hold(const pl_modulations_t *k, pl_word_t *state, uint32_t lost)
{
    const int32_t so_far = state[PL_MOD_LOST].i;
    if (so_far == 0 || lost > (uint32_t)(k->longest - (so_far - 1)))
        return 0;
    state[PL_MOD_LOST].i += (int32_t)lost;
    state[PL_MOD_PHASE].i += (int32_t)lost * k->step;
    pl_modulations_complete(k, state);
    return 1;
}

/* Starts anew after a longer gap; the rows that wait are lost with it. */
PL_RARE uint32_t pl_modulations_anew(const pl_modulations_t *k, pl_word_t *state, uint32_t lost)
{
    const uint64_t phase = (uint64_t)(uint32_t)state[PL_MOD_PHASE].i + (uint64_t)lost * (uint32_t)k->step;
    const uint32_t rows = (uint32_t)(phase / (uint32_t)k->slot) + (uint32_t)state[PL_MOD_WAITING].i;
    pl_zero(state, k->words);
    state[PL_MOD_PHASE].i = (int32_t)(phase % (uint32_t)k->slot);
    return rows;
}

#endif
