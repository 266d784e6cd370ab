/* Pulselet runtime: stages in a row, branches brought together row by row. As signal/chain.py, align.py and run.py. */
#ifndef PL_PIPELINE_H
#define PL_PIPELINE_H

#include "pl_stage.h"

#define PL_LONGEST_GAP (1u << 29)
#define PL_SAMPLE_LIMIT 1e12f   /* a sample not below this in magnitude counts as lost; NaN is not below anything */

/* Stages in a row. Rows of a stage with an even number go to one half of the scratch, those of an odd one to the other. */
typedef struct {
    const pl_stage_t *stages;
    int32_t stage_count, width, out_width;   /* floats in a row of input, and of output */
    int32_t state_offset;        /* its first word in the pipeline's state */
    int32_t rows;                /* the most that come out for one row */
    int32_t odd;                 /* where in a scratch the rows of odd stages begin */
    int32_t column;              /* of a branch: its first column in a row of all branches */
} pl_chain_t;

/* Branches, then what works on their rows together. State: each chain's words, then, if there are several branches, the
 * ring: head, a position for each branch, then for each row who has filled it and its floats. */
typedef struct {
    const pl_chain_t *branches;
    int32_t branch_count, ring_offset, ahead;
    int32_t columns;             /* floats in a row of the branches together */
    const pl_chain_t *joint;
    int32_t scratch;             /* floats of a scratch that the branches share; what follows has one of its own */
} pl_pipeline_t;

/* One call's view of a pipeline that runs: its memory, and who takes what comes out. */
typedef struct {
    pl_word_t *state;
    float *scratch;
    void *owner;
    void (*row)(void *owner, const float *x);
    void (*lost)(void *owner, uint32_t rows);
} pl_run_t;

/* Folds one row into a chain; returns how many rows come out, and where they are. */
static inline int32_t pl_chain_step(const pl_chain_t *chain, pl_word_t *state, const float *x, float *scratch,
                                    const float **out)
{
    pl_word_t *words = state + chain->state_offset;
    int32_t rows = 1, width = chain->width;
    for (int32_t s = 0; s < chain->stage_count; s++) {
        const pl_stage_t *stage = &chain->stages[s];
        float *y = s & 1 ? scratch + chain->odd : scratch;
        int32_t found = 0;
        for (int32_t i = 0; i < rows; i++)
            found += stage->step(stage->constants, words, x + i * width, y + found * stage->width);
        if (found == 0)
            return 0;
        x = y;
        rows = found;
        width = stage->width;
        words += stage->state_words;
    }
    *out = x;
    return rows;
}

/* Tells a chain that rows are lost; returns how many are lost at its end. */
PL_RARE uint32_t pl_chain_gap(const pl_chain_t *chain, pl_word_t *state, uint32_t lost)
{
    pl_word_t *words = state + chain->state_offset;
    for (int32_t s = 0; s < chain->stage_count && lost; s++) {
        lost = pl_stage_gap(&chain->stages[s], words, lost);
        words += chain->stages[s].state_words;
    }
    return lost;
}

/* The first word of a row of the ring: a bit for each branch that has filled it. */
static inline pl_word_t *pl_ring_row(const pl_pipeline_t *p, pl_word_t *ring, int32_t position)
{
    return ring + 1 + p->branch_count + (ring[0].i + position) % p->ahead * (p->columns + 1);
}

/* Moves the ring on, and empties the rows that it leaves behind. */
PL_RARE void pl_ring_advance(const pl_pipeline_t *p, pl_word_t *ring, int32_t rows)
{
    for (int32_t i = 0; i < rows && i < p->ahead; i++)
        pl_ring_row(p, ring, i)->i = 0;
    ring[0].i = (int32_t)(((int64_t)ring[0].i + rows) % p->ahead);
    for (int32_t b = 0; b < p->branch_count; b++)
        ring[1 + b].i -= rows;
}

static inline int32_t pl_ring_least(const pl_pipeline_t *p, const pl_word_t *ring)
{
    int32_t least = ring[1].i;
    for (int32_t b = 1; b < p->branch_count; b++)
        if (ring[1 + b].i < least)
            least = ring[1 + b].i;
    return least;
}

/* Tells what follows the branches that rows are lost. */
PL_RARE void pl_joint_gap(const pl_pipeline_t *p, const pl_run_t *run, uint32_t lost)
{
    lost = pl_chain_gap(p->joint, run->state, lost);
    if (lost)
        run->lost(run->owner, lost);
}

/* Takes one row of all branches. */
static inline void pl_joint_step(const pl_pipeline_t *p, const pl_run_t *run, const float *row)
{
    const float *out = row;
    const int32_t count = pl_chain_step(p->joint, run->state, row, run->scratch + p->scratch, &out);
    for (int32_t i = 0; i < count; i++)
        run->row(run->owner, out + i * p->joint->out_width);
}

/* Takes the rows out of the ring that every branch has passed; at most one of them is whole. */
static inline void pl_ring_release(const pl_pipeline_t *p, const pl_run_t *run)
{
    pl_word_t *ring = run->state + p->ring_offset;
    const int32_t ready = pl_ring_least(p, ring), all = (1 << p->branch_count) - 1;
    for (int32_t i = 0; i < ready; i++) {
        pl_word_t *row = pl_ring_row(p, ring, i);
        if (i >= p->ahead) {
            pl_joint_gap(p, run, (uint32_t)(ready - i));
            break;
        }
        if (row->i == all)
            pl_joint_step(p, run, &row[1].f);
        else
            pl_joint_gap(p, run, 1u);
    }
    if (ready > 0)
        pl_ring_advance(p, ring, ready);
}

/* Must the ring give up rows for some more of a branch? Returns how many, 0 if none, or PL_E_AHEAD if one is not lost. */
PL_RARE int32_t pl_ring_needs(const pl_pipeline_t *p, pl_word_t *ring, int32_t branch, int32_t rows)
{
    const int32_t need = ring[1 + branch].i + rows - p->ahead;
    for (int32_t i = 0; i < need && i < p->ahead; i++) {
        const int32_t filled = pl_ring_row(p, ring, i)->i;
        int32_t lost = 0;
        for (int32_t b = 0; b < p->branch_count; b++)
            lost |= ring[1 + b].i > i && !(filled & 1 << b);
        if (!lost)
            return PL_E_AHEAD;
    }
    return need > 0 ? need : 0;
}

/* Puts one row of a branch into the ring; if that is full, it gives up rows that are lost already. */
static inline void pl_ring_push(const pl_pipeline_t *p, const pl_run_t *run, int32_t branch, const float *x)
{
    const pl_chain_t *chain = &p->branches[branch];
    pl_word_t *ring = run->state + p->ring_offset, *position = &ring[1 + branch];
    const int32_t need = position->i < p->ahead ? 0 : pl_ring_needs(p, ring, branch, 1);
    if (need > 0) {
        pl_joint_gap(p, run, (uint32_t)need);
        pl_ring_advance(p, ring, need);
    }
    if (position->i >= 0) {
        pl_word_t *row = pl_ring_row(p, ring, position->i);
        row->i |= 1 << branch;
        for (int32_t c = 0; c < chain->out_width; c++)
            row[1 + chain->column + c].f = x[c];
    }
    position->i++;
    pl_ring_release(p, run);
}

/* Declares lost samples of a branch. Returns 0, or PL_E_RANGE for a gap of none or more than 2^29 samples, or when the
 * branch is that far ahead already. That bounds the ring's positions, however long a branch is silent: others pass it only
 * by rows that were declared lost here. */
PL_RARE int pl_gap(const pl_pipeline_t *p, const pl_run_t *run, int32_t branch, uint32_t lost)
{
    pl_word_t *ring = run->state + p->ring_offset;
    if (lost == 0u || lost > PL_LONGEST_GAP)
        return PL_E_RANGE;
    if (p->branch_count > 1 && ring[1 + branch].i - pl_ring_least(p, ring) > (int32_t)PL_LONGEST_GAP)
        return PL_E_RANGE;
    lost = pl_chain_gap(&p->branches[branch], run->state, lost);
    if (lost == 0u)
        return 0;
    if (p->branch_count == 1) {
        pl_joint_gap(p, run, lost);
        return 0;
    }
    ring[1 + branch].i += (int32_t)lost;
    pl_ring_release(p, run);
    return 0;
}

/* Folds one sample of a branch, all its channels. Returns 0, or PL_E_AHEAD, with nothing changed, if another branch must
 * come first. */
static inline int pl_push(const pl_pipeline_t *p, const pl_run_t *run, int32_t branch, const float *sample)
{
    const pl_chain_t *chain = &p->branches[branch];
    const int32_t together = p->branch_count > 1;
    for (int32_t c = 0; c < chain->width; c++)
        if (!(sample[c] < PL_SAMPLE_LIMIT && sample[c] > -PL_SAMPLE_LIMIT))
            return pl_gap(p, run, branch, 1u);
    if (together && run->state[p->ring_offset + 1 + branch].i + chain->rows > p->ahead
        && pl_ring_needs(p, run->state + p->ring_offset, branch, chain->rows) < 0)
        return PL_E_AHEAD;
    const float *rows = sample;
    const int32_t count = pl_chain_step(chain, run->state, sample, run->scratch, &rows);
    for (int32_t i = 0; i < count; i++) {
        const float *row = rows + i * chain->out_width;
        if (together)
            pl_ring_push(p, run, branch, row);
        else
            pl_joint_step(p, run, row);
    }
    return 0;
}

#endif
