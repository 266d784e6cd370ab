/* Pulselet runtime: skin conductance. The same arithmetic as signal/electrodermal.py. */
#ifndef PL_ELECTRODERMAL_H
#define PL_ELECTRODERMAL_H

#include "pl_filters.h"
#include "pl_math.h"

typedef struct {
    const pl_sos_t *smooth, *response, *slope;
    float lowest_us, highest_us, steepest, steepest_fall;
    float step_gain, bend_gain;  /* of the inverse of a response's shape */
    float per_min;
    int32_t up, down, shift;     /* limits of the level's error, and how much of it is followed */
    int32_t hold;                /* samples that are passed over after a bad one */
} pl_electrodermal_t;

/* What the state begins with; those of smooth, response and slope follow. */
enum { PL_EDA_BLOCKED, PL_EDA_SEEN, PL_EDA_PREVIOUS, PL_EDA_TONIC, PL_EDA_STARTED, PL_EDA_BEFORE, PL_EDA_STEP, PL_EDA_LEVEL, PL_EDA_FILTERS };

static inline int pl_electrodermal_bad(const pl_electrodermal_t *k, const pl_word_t *state, float x)
{
    const float before = state[PL_EDA_SEEN].i ? state[PL_EDA_PREVIOUS].f : x;
    const float change = x - before, level = before > 0.5f ? before : 0.5f;
    return x < k->lowest_us || x > k->highest_us || pl_absf(change) > k->steepest || change < -(k->steepest_fall * level);
}

/* Moves the level towards the drive; returns how far the drive was above it. */
static inline int32_t pl_electrodermal_track(const pl_electrodermal_t *k, pl_word_t *level, int32_t drive)
{
    const int32_t above = drive - level->i;
    const int32_t error = above > k->up ? k->up : above < -k->down ? -k->down : above;
    const int32_t unit = (int32_t)1 << k->shift, rest = error & (unit - 1);
    level->i += (error - rest) / unit;           /* rounds down */
    return above;
}

static inline void pl_electrodermal_follow(const pl_electrodermal_t *k, pl_word_t *state, const float *x, float *y)
{
    pl_word_t *smooth = state + PL_EDA_FILTERS, *response = smooth + 1 + 2 * k->smooth->sections;
    pl_word_t *slope = response + 3;
    const int started = state[PL_EDA_STARTED].i;
    float s, per_min;
    pl_sos_step(k->smooth, smooth, x, &s);
    const float step = s - (started ? state[PL_EDA_BEFORE].f : s);
    const float bend = step - (started ? state[PL_EDA_STEP].f : 0.0f);
    float drive = (s + k->step_gain * step) + k->bend_gain * bend;
    drive = drive < -511.0f ? -511.0f : drive > 511.0f ? 511.0f : drive;
    const int32_t whole = (int32_t)(drive * 1048576.0f);
    if (!started)
        state[PL_EDA_LEVEL].i = whole;
    y[2] = (float)pl_electrodermal_track(k, &state[PL_EDA_LEVEL], whole) * 9.536743e-07f;
    pl_sos_step(k->response, response, &y[2], &y[1]);
    y[0] = s - y[1];
    per_min = (y[0] - (started ? state[PL_EDA_TONIC].f : y[0])) * k->per_min;
    pl_sos_step(k->slope, slope, &per_min, &y[3]);
    y[4] = 1.0f;
    state[PL_EDA_STARTED].i = 1;
    state[PL_EDA_BEFORE].f = s;
    state[PL_EDA_STEP].f = step;
    state[PL_EDA_TONIC].f = y[0];
}

/* One sample, uS, to tonic, phasic, drive, slope (uS per min), usable. */
static inline int32_t pl_electrodermal_step(const void *constants, pl_word_t *state, const float *x, float *y)
{
    const pl_electrodermal_t *k = (const pl_electrodermal_t *)constants;
    if (pl_electrodermal_bad(k, state, x[0]))
        state[PL_EDA_BLOCKED].i = k->hold + 1;
    state[PL_EDA_SEEN].i = 1;
    state[PL_EDA_PREVIOUS].f = x[0];
    if (state[PL_EDA_BLOCKED].i > 0) {
        state[PL_EDA_BLOCKED].i--;
        pl_zero(state + PL_EDA_STARTED, PL_EDA_FILTERS - PL_EDA_STARTED + 3 + 2 * (k->smooth->sections + 2));
        y[0] = state[PL_EDA_TONIC].f;
        y[1] = y[2] = y[3] = y[4] = 0.0f;
    } else {
        pl_electrodermal_follow(k, state, x, y);
    }
    return 1;
}

typedef struct {
    float least, gain;           /* least drive, and from drive to amplitude */
    float tick_s, rise_at_peak_s;
    int32_t onset;               /* samples from a response's onset to the peak of its burst */
    int32_t patience;
} pl_skin_responses_t;

enum { PL_SCR_FRESH, PL_SCR_SEEKING, PL_SCR_RISING };

/* n: samples since the last response's onset; edge: lowest drive, or highest of a burst, which is over below bar;
 * age: samples since that; burst, burst_age: of a burst that is over and waits for the top of its response. */
enum {
    PL_SCR_N, PL_SCR_INTACT, PL_SCR_PHASE, PL_SCR_EDGE, PL_SCR_BAR, PL_SCR_AGE, PL_SCR_WAITING, PL_SCR_BURST,
    PL_SCR_BURST_AGE, PL_SCR_TOP, PL_SCR_TOP_AGE, PL_SCR_WORDS, PL_SCR_FARTHEST = 16777216
};

static inline void pl_skin_top(pl_word_t *state, float phasic)
{
    state[PL_SCR_BURST_AGE].i++;
    if (phasic > state[PL_SCR_TOP].f || (state[PL_SCR_PHASE].i == PL_SCR_RISING && state[PL_SCR_AGE].i == 0)) {
        state[PL_SCR_TOP].f = phasic;
        state[PL_SCR_TOP_AGE].i = 0;
    } else {
        state[PL_SCR_TOP_AGE].i++;
    }
}

static inline void pl_skin_go_on(const pl_skin_responses_t *k, pl_word_t *state, float drive)
{
    state[PL_SCR_AGE].i++;
    if (drive > state[PL_SCR_EDGE].f) {
        state[PL_SCR_EDGE].f = drive;
        state[PL_SCR_BAR].f = drive * 0.7f;
        state[PL_SCR_AGE].i = 0;
    } else if (drive < state[PL_SCR_BAR].f || state[PL_SCR_AGE].i > k->patience) {
        state[PL_SCR_WAITING].i = 1;
        state[PL_SCR_BURST].f = state[PL_SCR_EDGE].f;
        state[PL_SCR_BURST_AGE].i = state[PL_SCR_AGE].i;
        state[PL_SCR_PHASE].i = PL_SCR_SEEKING;
        state[PL_SCR_EDGE].f = drive;
    }
}

/* Returns whether a burst begins. */
static inline int pl_skin_burst(const pl_skin_responses_t *k, pl_word_t *state, float drive)
{
    const float part = drive * 0.7f;
    if (state[PL_SCR_PHASE].i == PL_SCR_RISING) {
        pl_skin_go_on(k, state, drive);
    } else if (state[PL_SCR_PHASE].i == PL_SCR_FRESH || drive < state[PL_SCR_EDGE].f) {
        state[PL_SCR_PHASE].i = PL_SCR_SEEKING;
        state[PL_SCR_EDGE].f = drive;
    } else if (drive >= k->least && part > state[PL_SCR_EDGE].f) {
        state[PL_SCR_PHASE].i = PL_SCR_RISING;
        state[PL_SCR_EDGE].f = drive;
        state[PL_SCR_BAR].f = part;
        state[PL_SCR_AGE].i = 0;
        return 1;
    }
    return 0;
}

static inline void pl_skin_end(const pl_skin_responses_t *k, pl_word_t *state, float *y)
{
    const int32_t lag = state[PL_SCR_BURST_AGE].i + k->onset, since = state[PL_SCR_N].i - lag;
    const float rise = (float)(state[PL_SCR_BURST_AGE].i - state[PL_SCR_TOP_AGE].i) * k->tick_s + k->rise_at_peak_s;
    y[0] = (float)(since > 0 ? since : 0);
    y[1] = (float)state[PL_SCR_INTACT].i;
    y[2] = (float)lag;
    y[3] = state[PL_SCR_BURST].f * k->gain;
    y[4] = rise > 0.0f ? rise : 0.0f;
    state[PL_SCR_N].i = lag;
    state[PL_SCR_INTACT].i = 1;
    state[PL_SCR_WAITING].i = 0;
}

static inline int32_t pl_skin_usable(const pl_skin_responses_t *k, pl_word_t *state, const float *x, float *y)
{
    int32_t rows = 0;
    if (state[PL_SCR_PHASE].i == PL_SCR_RISING || state[PL_SCR_WAITING].i)
        pl_skin_top(state, x[1]);
    const int began = pl_skin_burst(k, state, x[2]);
    if (state[PL_SCR_WAITING].i && (began || state[PL_SCR_TOP_AGE].i > 0 || state[PL_SCR_BURST_AGE].i > 2 * k->patience)) {
        pl_skin_end(k, state, y);
        rows = 1;
    }
    if (began) {
        state[PL_SCR_TOP].f = x[1];
        state[PL_SCR_TOP_AGE].i = 0;
    }
    return rows;
}

/* Takes the rows of pl_electrodermal_step; gives since, valid, lag, amplitude (uS), rise (s) of a response. */
static inline int32_t pl_skin_responses_step(const void *constants, pl_word_t *state, const float *x, float *y)
{
    int32_t rows = 0;
    if (x[4] > 0.0f)
        rows = pl_skin_usable((const pl_skin_responses_t *)constants, state, x, y);
    else
        state[PL_SCR_PHASE].i = state[PL_SCR_INTACT].i = state[PL_SCR_WAITING].i = 0;
    if (state[PL_SCR_N].i < PL_SCR_FARTHEST)
        state[PL_SCR_N].i++;
    return rows;
}

static inline uint32_t pl_skin_responses_gap(const void *constants, pl_word_t *state, uint32_t lost)
{
    const uint32_t n = (uint32_t)state[PL_SCR_N].i, most = PL_SCR_FARTHEST;
    (void)constants;
    pl_zero(state, PL_SCR_WORDS);
    state[PL_SCR_N].i = (int32_t)(lost > most - n ? most : n + lost);
    return 0;
}

#endif
