/* Pulselet runtime: windows on a fixed grid, of floats for stages that follow, of int8 for a net. As signal/window.py. */
#ifndef PL_WINDOW_H
#define PL_WINDOW_H

#include "pl_stage.h"

typedef struct {
    int32_t length, channels, hop;
} pl_window_t;

/* Nearest int8, halves away from zero, saturated. */
static inline int8_t pl_quantise(float x, float scale, int32_t zero_point)
{
    const float v = x / scale;
    if (v >= 256.0f)
        return 127;
    if (!(v > -256.0f))          /* NaN too */
        return -128;
    const int32_t q = (int32_t)(v >= 0.0f ? v + 0.5f : v - 0.5f) + zero_point;
    return (int8_t)(q > 127 ? 127 : q < -128 ? -128 : q);
}

/* Returns 1 if the row at the position is wanted, with its number in the ring. */
static inline int32_t pl_window_row(const pl_window_t *k, pl_word_t *state, int32_t *row)
{
    const int32_t position = state[0].i++;
    *row = (state[1].i + position) % k->length;
    return position >= 0;
}

/* Returns 1 if the window is complete, and moves on to the next; *row is where the complete one begins. */
static inline int32_t pl_window_complete(const pl_window_t *k, pl_word_t *state, int32_t *row)
{
    if (state[0].i < k->length)
        return 0;
    *row = state[1].i;
    state[1].i = (state[1].i + k->hop) % k->length;
    state[0].i -= k->hop;
    return 1;
}

/* Rows of channels to rows of length x channels. state: position, head, ring. */
static inline int32_t pl_window_step(const void *constants, pl_word_t *state, const float *x, float *y)
{
    const pl_window_t *k = (const pl_window_t *)constants;
    pl_word_t *ring = state + 2;
    int32_t row;
    if (pl_window_row(k, state, &row))
        for (int32_t c = 0; c < k->channels; c++)
            ring[row * k->channels + c].f = x[c];
    if (!pl_window_complete(k, state, &row))
        return 0;
    for (int32_t i = 0; i < k->length; i++) {
        for (int32_t c = 0; c < k->channels; c++)
            y[i * k->channels + c] = ring[row * k->channels + c].f;
        row = row + 1 < k->length ? row + 1 : 0;
    }
    return 1;
}

/* Drops every window that begins before the end of the gap. */
static inline uint32_t pl_window_gap(const void *constants, pl_word_t *state, uint32_t lost)
{
    const pl_window_t *k = (const pl_window_t *)constants;
    const int32_t end = state[0].i + (int32_t)lost;
    state[0].i = end;
    if (end <= 0)
        return 0u;
    const int32_t dropped = (end - 1) / k->hop + 1;
    state[0].i = end - dropped * k->hop;
    state[1].i = 0;
    return (uint32_t)dropped;
}

/* The same window for a net's int8 input: the ring holds bytes, and a complete window goes to y, oldest first. */
static inline int32_t pl_window8_step(const pl_window_t *k, pl_word_t *state, int8_t *ring, float scale,
                                      int32_t zero_point, const float *x, int8_t *y)
{
    int32_t row;
    if (pl_window_row(k, state, &row))
        for (int32_t c = 0; c < k->channels; c++)
            ring[row * k->channels + c] = pl_quantise(x[c], scale, zero_point);
    if (!pl_window_complete(k, state, &row))
        return 0;
    const int32_t size = k->length * k->channels;
    for (int32_t i = 0, at = row * k->channels; i < size; i++) {
        y[i] = ring[at];
        at = at + 1 < size ? at + 1 : 0;
    }
    return 1;
}

#endif
