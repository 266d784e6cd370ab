/* Pulselet runtime: what a stage is. C99, float32, no malloc, no globals.
 *
 * The arithmetic and its order are those of the Python stages, so the two agree bit for bit if the compiler neither
 * fuses multiply-add nor flushes denormals: build with -std=c99 -ffp-contract=off and without -ffast-math.
 * State is an array of 32-bit words owned by the caller, all zero at the start; its size is known at compile time.
 *
 * A stage takes one row of floats and gives some: an even sample of each channel, a window, features, an event. */
#ifndef PL_STAGE_H
#define PL_STAGE_H

#include "pl_types.h"

/* Rare work stays out of line: it is called from several places, and -O2 would copy it into each. */
#if defined(__GNUC__)
#define PL_RARE static __attribute__((noinline, unused))
#else
#define PL_RARE static
#endif

/* Folds one row x; writes the rows that it gives one after another to y, and returns how many. x and y are apart. */
typedef int32_t (*pl_step_t)(const void *constants, pl_word_t *state, const float *x, float *y);

/* Tells a stage that rows are lost, at least one; returns how many of its own are lost, 0 if those after it need not know. */
typedef uint32_t (*pl_gap_t)(const void *constants, pl_word_t *state, uint32_t lost);

typedef struct {
    pl_step_t step;
    pl_gap_t gap;                /* 0: the state starts anew, the gap passes on */
    const void *constants;
    int32_t state_words;
    int32_t width;               /* floats in a row of output */
} pl_stage_t;

PL_RARE void pl_zero(pl_word_t *words, int32_t count)
{
    for (int32_t i = 0; i < count; i++)
        words[i].i = 0;
}

static inline uint32_t pl_stage_gap(const pl_stage_t *s, pl_word_t *state, uint32_t lost)
{
    if (s->gap)
        return s->gap(s->constants, state, lost);
    pl_zero(state, s->state_words);
    return lost;
}

#endif
