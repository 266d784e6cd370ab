/* Pulselet runtime: the waveform around each heartbeat. The same arithmetic as signal/ecg_beats.py. */
#ifndef PL_ECG_BEATS_H
#define PL_ECG_BEATS_H

#include "pl_ecg_peaks.h"
#include "pl_filters.h"

typedef struct {
    const pl_ecg_peaks_t *peaks;
    const pl_sos_t *band;
    int32_t peaks_words, band_words;
    int32_t every;               /* of the filtered samples, one in so many is kept */
    int32_t before, after;       /* of those, around the R peak */
    int32_t delay;               /* of the filter, in samples */
    int32_t room, queue;         /* of the ring; beats that may wait */
    int32_t peaks_rows;
} pl_beats_t;

typedef struct {
    int32_t first, count;
} pl_columns_t;

/* SAMPLES and places count modulo 2^32: only their differences are used. PHASE: SAMPLES modulo every. */
enum { PL_BEATS_SAMPLES, PL_BEATS_PHASE, PL_BEATS_NEXT, PL_BEATS_FILLED, PL_BEATS_ROW, PL_BEATS_WAITING, PL_BEATS_STATE = 8 };

/* A beat whose row is not out yet. AHEAD: numbers of the ring until its last; below 0: so many have come since. */
enum { PL_BEAT_PLACE, PL_BEAT_SINCE, PL_BEAT_VALID, PL_BEAT_AMPLITUDE, PL_BEAT_AHEAD, PL_BEAT };

static inline pl_word_t *pl_beats_ring(const pl_beats_t *k, pl_word_t *state)
{
    return state + PL_BEATS_STATE + PL_BEAT * k->queue;
}

/* Puts an event of the R peaks into the queue, if it has room. PHASE is still that of the sample. */
static inline void pl_beats_wait(const pl_beats_t *k, pl_word_t *state, const float *event)
{
    const int32_t waiting = state[PL_BEATS_WAITING].i, lag = (int32_t)event[2];
    pl_word_t *beat = state + PL_BEATS_STATE + PL_BEAT * waiting;
    if (waiting == k->queue)
        return;
    const int32_t ago = lag - state[PL_BEATS_PHASE].i - k->delay - k->every / 2;
    const int32_t numbers = ago > 0 ? -((ago + k->every - 1) / k->every) : -ago / k->every;
    beat[PL_BEAT_PLACE].i = (int32_t)((uint32_t)state[PL_BEATS_SAMPLES].i - (uint32_t)lag);
    beat[PL_BEAT_SINCE].i = (int32_t)event[0];
    beat[PL_BEAT_VALID].i = event[1] > 0.0f;
    beat[PL_BEAT_AMPLITUDE].f = event[3];
    beat[PL_BEAT_AHEAD].i = numbers + k->after;
    state[PL_BEATS_WAITING].i = waiting + 1;
}

/* Writes the row of the first beat of the queue; returns 0 if the ring lacks some of its samples. */
static inline int32_t pl_beats_row(const pl_beats_t *k, pl_word_t *state, float *y)
{
    const pl_word_t *beat = state + PL_BEATS_STATE, *ring = pl_beats_ring(k, state);
    const uint32_t place = (uint32_t)beat[PL_BEAT_PLACE].i, before = (uint32_t)state[PL_BEATS_ROW].i;
    const int32_t points = k->before + 1 + k->after, reach = points - beat[PL_BEAT_AHEAD].i;
    if (reach > state[PL_BEATS_FILLED].i)
        return 0;
    y[0] = (float)(place - before < PL_EP_LONGEST ? place - before : PL_EP_LONGEST);
    y[1] = beat[PL_BEAT_VALID].i && place - (uint32_t)beat[PL_BEAT_SINCE].i == before ? 1.0f : 0.0f;
    y[2] = (float)((uint32_t)state[PL_BEATS_SAMPLES].i - place);
    y[3] = beat[PL_BEAT_AMPLITUDE].f;
    int32_t at = state[PL_BEATS_NEXT].i - reach;
    for (int32_t i = 0; i < points; i++, at++)
        y[4 + i] = ring[at < 0 ? at + k->room : at].f;
    state[PL_BEATS_ROW].i = (int32_t)place;
    return 1;
}

/* Writes the rows that are complete to y, and takes their beats out of the queue. */
static inline int32_t pl_beats_rows(const pl_beats_t *k, pl_word_t *state, float *y)
{
    pl_word_t *queue = state + PL_BEATS_STATE;
    int32_t rows = 0;
    while (state[PL_BEATS_WAITING].i > 0 && queue[PL_BEAT_AHEAD].i <= 0) {
        rows += pl_beats_row(k, state, y + rows * (5 + k->before + k->after));
        state[PL_BEATS_WAITING].i -= 1;
        for (int32_t i = 0; i < PL_BEAT * state[PL_BEATS_WAITING].i; i++)
            queue[i] = queue[i + PL_BEAT];
    }
    return rows;
}

/* Puts a filtered sample into the ring: each beat that waits is one nearer to its end. */
static inline void pl_beats_keep(const pl_beats_t *k, pl_word_t *state, float value)
{
    const int32_t next = state[PL_BEATS_NEXT].i;
    pl_beats_ring(k, state)[next].f = value;
    state[PL_BEATS_NEXT].i = next + 1 == k->room ? 0 : next + 1;
    if (state[PL_BEATS_FILLED].i < k->room)
        state[PL_BEATS_FILLED].i += 1;
    for (int32_t i = 0; i < state[PL_BEATS_WAITING].i; i++)
        state[PL_BEATS_STATE + PL_BEAT * i + PL_BEAT_AHEAD].i -= 1;
}

/* state: the words above, the queue, the ring, events of the R peaks, their state, that of the filter. */
static inline int32_t pl_beats_step(const void *constants, pl_word_t *state, const float *x, float *y)
{
    const pl_beats_t *k = (const pl_beats_t *)constants;
    float *events = &pl_beats_ring(k, state)[k->room].f;
    pl_word_t *peaks = pl_beats_ring(k, state) + k->room + 4 * k->peaks_rows, *band = peaks + k->peaks_words;
    const float filtered = pl_ep_filter(k->band, band, x[0]);
    if (state[PL_BEATS_PHASE].i == 0)
        pl_beats_keep(k, state, filtered);
    const int32_t found = pl_ecg_peaks_step(k->peaks, peaks, x, events);
    for (int32_t i = 0; i < found; i++)
        pl_beats_wait(k, state, events + 4 * i);
    const int32_t rows = pl_beats_rows(k, state, y);
    state[PL_BEATS_SAMPLES].i = (int32_t)((uint32_t)state[PL_BEATS_SAMPLES].i + 1u);
    state[PL_BEATS_PHASE].i = state[PL_BEATS_PHASE].i + 1 == k->every ? 0 : state[PL_BEATS_PHASE].i + 1;
    return rows;
}

static inline uint32_t pl_beats_gap(const void *constants, pl_word_t *state, uint32_t lost)
{
    const pl_beats_t *k = (const pl_beats_t *)constants;
    pl_word_t *peaks = pl_beats_ring(k, state) + k->room + 4 * k->peaks_rows, *band = peaks + k->peaks_words;
    if (lost >= 0x00400000u)
        pl_zero(peaks, k->peaks_words);
    else
        (void)pl_ecg_peaks_gap(k->peaks, peaks, lost);
    pl_zero(band, k->band_words);
    state[PL_BEATS_SAMPLES].i = (int32_t)((uint32_t)state[PL_BEATS_SAMPLES].i + lost);
    if ((uint32_t)state[PL_BEATS_SAMPLES].i - (uint32_t)state[PL_BEATS_ROW].i > PL_EP_LONGEST)
        state[PL_BEATS_ROW].i = (int32_t)((uint32_t)state[PL_BEATS_SAMPLES].i - PL_EP_LONGEST);
    state[PL_BEATS_PHASE].i = (int32_t)(((uint32_t)state[PL_BEATS_PHASE].i + lost) % (uint32_t)k->every);
    state[PL_BEATS_FILLED].i = state[PL_BEATS_WAITING].i = 0;
    return 0;
}

/* Some columns of a row. */
static inline int32_t pl_columns_step(const void *constants, pl_word_t *state, const float *x, float *y)
{
    const pl_columns_t *k = (const pl_columns_t *)constants;
    (void)state;
    for (int32_t i = 0; i < k->count; i++)
        y[i] = x[k->first + i];
    return 1;
}

#endif
