/* Pulselet runtime: causal stages and windows. C99, float32, no malloc, no globals.
 *
 * The arithmetic and its order are those of the Python stages, so the two agree bit for bit if the compiler neither
 * fuses multiply-add nor flushes denormals: build with -std=c99 -ffp-contract=off and without -ffast-math.
 * State is an array of 32-bit words owned by the caller; its size is known at compile time. Counts are of samples of all
 * channels of a stream: three axes at one moment are one sample. */
#ifndef PL_PIPELINE_H
#define PL_PIPELINE_H

#include "pl_types.h"

/* Rare work stays out of line: it is called from several places, and -O2 would copy it into each. */
#if defined(__GNUC__)
#define PL_RARE static __attribute__((noinline, unused))
#else
#define PL_RARE static
#endif

#define PL_LONGEST_GAP (1u << 29)
#define PL_SAMPLE_LIMIT 1e12f   /* a sample not below this in magnitude counts as lost; NaN is not below anything */

typedef struct {
    int32_t sections, channels;
    const float *coefficients;   /* sections x (b0 b1 b2 a1 a2) */
    const float *initial;        /* sections x 2: steady state for an input of 1 */
} pl_sos_t;

typedef struct {
    int32_t channels;
    const float *offset, *gain;
} pl_scale_t;

/* Filters one sample of each channel in place. state: started flag, then sections x 2 x channels. */
static inline void pl_sos_step(const void *constants, pl_word_t *state, float *x)
{
    const pl_sos_t *k = (const pl_sos_t *)constants;
    const int started = state[0].i;
    for (int32_t c = 0; c < k->channels; c++) {
        const float first = x[c];
        float v = first;
        for (int32_t s = 0; s < k->sections; s++) {
            const float *b = k->coefficients + 5 * s;
            float *z0 = &state[1 + 2 * s * k->channels + c].f;
            float *z1 = z0 + k->channels;
            if (!started) {
                *z0 = k->initial[2 * s] * first;
                *z1 = k->initial[2 * s + 1] * first;
            }
            const float y = b[0] * v + *z0;
            *z0 = b[1] * v - b[3] * y + *z1;
            *z1 = b[2] * v - b[4] * y;
            v = y;
        }
        x[c] = v;
    }
    state[0].i = 1;
}

/* Scales one sample of each channel in place. */
static inline void pl_scale_step(const void *constants, pl_word_t *state, float *x)
{
    const pl_scale_t *k = (const pl_scale_t *)constants;
    (void)state;
    for (int32_t c = 0; c < k->channels; c++)
        x[c] = (x[c] - k->offset[c]) * k->gain[c];
}

typedef struct {
    void (*step)(const void *constants, pl_word_t *state, float *x);
    const void *constants;
    int32_t state_words;
} pl_stage_t;

typedef struct {
    const pl_stage_t *stages;
    int32_t stage_count, channels, column, state_offset, state_words;
} pl_branch_t;

typedef struct {
    const pl_branch_t *branches;
    int32_t branch_count, channels;
    int32_t length, hop, capacity;
    float scale;                 /* the net's input: real = scale * (q - zero_point) */
    int32_t zero_point;
} pl_pipeline_t;

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

static inline int32_t pl_least(const int32_t *x, int32_t n)
{
    int32_t best = x[0];
    for (int32_t i = 1; i < n; i++)
        if (x[i] < best)
            best = x[i];
    return best;
}

/* A row of the ring: one int8 for each channel, then a bit for each branch that has filled it. */
static inline int8_t *pl_row(const pl_pipeline_t *p, const pl_cutter_t *cut, int8_t *ring, int32_t position)
{
    return ring + ((cut->head + position) % p->capacity) * (p->channels + 1);
}

/* Moves the grid on by a number of hops, and empties the rows that it leaves behind. */
PL_RARE void pl_advance(const pl_pipeline_t *p, pl_cutter_t *cut, int32_t *position, int8_t *ring, int32_t hops)
{
    const int32_t by = hops * p->hop;
    for (int32_t i = 0; i < by && i < p->capacity; i++)
        pl_row(p, cut, ring, i)[p->channels] = 0;
    cut->start += (uint64_t)by;
    cut->head = (int32_t)(((int64_t)cut->head + by) % p->capacity);
    for (int32_t b = 0; b < p->branch_count; b++)
        position[b] -= by;
}

/* Drops windows, and counts them. */
static inline void pl_drop(const pl_pipeline_t *p, pl_cutter_t *cut, int32_t *position, int8_t *ring, int32_t hops)
{
    cut->dropped += (uint32_t)hops;
    pl_advance(p, cut, position, ring, hops);
}

/* Declares lost samples of a branch: its stages start anew, the windows that this completes are dropped and counted.
 * Returns 0, or PL_E_RANGE for a gap of none or more than 2^29 samples, or when the branch is that far ahead already. */
PL_RARE int pl_gap(const pl_pipeline_t *p, pl_cutter_t *cut, int32_t *position, pl_word_t *state, int8_t *ring,
                         int32_t branch, uint32_t lost)
{
    const pl_branch_t *b = &p->branches[branch];
    if (lost == 0u || lost > PL_LONGEST_GAP || position[branch] - pl_least(position, p->branch_count) > (int32_t)PL_LONGEST_GAP)
        return PL_E_RANGE;
    for (int32_t i = 0; i < b->state_words; i++)
        state[b->state_offset + i].i = 0;
    position[branch] += (int32_t)lost;
    const int32_t ready = pl_least(position, p->branch_count) - p->length;
    if (ready >= 0)              /* every one of these windows lacks a sample of this branch */
        pl_drop(p, cut, position, ring, ready / p->hop + 1);
    return 0;
}

/* Have these branches filled the first rows of the ring? */
PL_RARE int pl_filled(const pl_pipeline_t *p, const pl_cutter_t *cut, int8_t *ring, int32_t rows, int32_t branches)
{
    for (int32_t i = 0; i < rows; i++)
        if ((pl_row(p, cut, ring, i)[p->channels] & branches) != branches)
            return 0;
    return 1;
}

/* Drops windows that are lost already until a branch fits into the ring. Returns 0, or PL_E_AHEAD. */
PL_RARE int pl_make_room(const pl_pipeline_t *p, pl_cutter_t *cut, int32_t *position, int8_t *ring, int32_t branch)
{
    while (position[branch] >= p->capacity) {
        if (!(pl_row(p, cut, ring, p->capacity - 1)[p->channels] & 1 << branch))   /* a gap leads past the ring's end */
            pl_drop(p, cut, position, ring, (position[branch] - p->capacity) / p->hop + 1);
        else if (!pl_filled(p, cut, ring, p->length, 1 << branch))     /* the next window has a gap in this branch */
            pl_drop(p, cut, position, ring, 1);
        else
            return PL_E_AHEAD;
    }
    return 0;
}

/* Cleans one sample in place and puts it, quantised, into the ring of windows.
 * Returns 1 if a window is complete, 0 if not yet, PL_E_AHEAD if another branch must come first. */
static inline int pl_push_sample(const pl_pipeline_t *p, pl_cutter_t *cut, int32_t *position, pl_word_t *state,
                                 int8_t *ring, int32_t branch, const float *sample, float *cleaned)
{
    const pl_branch_t *b = &p->branches[branch];
    for (int32_t c = 0; c < b->channels; c++) {
        cleaned[c] = sample[c];
        if (!(sample[c] < PL_SAMPLE_LIMIT && sample[c] > -PL_SAMPLE_LIMIT))
            return pl_gap(p, cut, position, state, ring, branch, 1u);
    }
    if (pl_make_room(p, cut, position, ring, branch) != 0)
        return PL_E_AHEAD;
    pl_word_t *words = state + b->state_offset;
    for (int32_t s = 0; s < b->stage_count; s++) {
        b->stages[s].step(b->stages[s].constants, words, cleaned);
        words += b->stages[s].state_words;
    }
    if (position[branch] >= 0) {
        int8_t *row = pl_row(p, cut, ring, position[branch]);
        for (int32_t c = 0; c < b->channels; c++)
            row[b->column + c] = pl_quantise(cleaned[c], p->scale, p->zero_point);
        row[p->channels] = (int8_t)(row[p->channels] | 1 << branch);
    }
    position[branch]++;
    if (pl_least(position, p->branch_count) < p->length)
        return 0;
    if (pl_filled(p, cut, ring, p->length, (1 << p->branch_count) - 1))
        return 1;
    pl_drop(p, cut, position, ring, 1);
    return 0;
}

/* Copies the complete window out of the ring, oldest sample first, and moves the grid on by one hop. */
static inline void pl_take_window(const pl_pipeline_t *p, pl_cutter_t *cut, int32_t *position, int8_t *ring,
                                  int8_t *window)
{
    for (int32_t i = 0; i < p->length; i++) {
        const int8_t *row = pl_row(p, cut, ring, i);
        for (int32_t c = 0; c < p->channels; c++)
            window[i * p->channels + c] = row[c];
    }
    pl_advance(p, cut, position, ring, 1);
}

#endif
