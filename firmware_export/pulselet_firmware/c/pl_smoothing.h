/* Pulselet runtime: decisions over windows. The same arithmetic as model/smoothing.py. */
#ifndef PL_SMOOTHING_H
#define PL_SMOOTHING_H

#include "pl_decide.h"
#include "pl_stage.h"

typedef struct {
    int32_t classes, columns;    /* columns: one more if the last is the signal's quality */
    int32_t rows, debounce, hold;
    float weight;                /* of the newest row in the average; 0: mean of the last `rows` */
    float enter, leave, least_quality;
} pl_smoothing_t;

enum { PL_SMOOTHING_COUNT, PL_SMOOTHING_OLDEST, PL_SMOOTHING_LABEL, PL_SMOOTHING_CHALLENGER, PL_SMOOTHING_RUN,
       PL_SMOOTHING_SILENT, PL_SMOOTHING_MEAN };   /* LABEL and CHALLENGER: 0 none, else 1 + class */

/* Softmax of all classes into y; pl_best and the factors as for pl_confidence. */
static inline void pl_confidences(const int8_t *scores, int32_t classes, const float *factors, float *y)
{
    const int32_t best = pl_best(scores, classes);
    const float part = pl_confidence(scores, classes, best, factors);
    for (int32_t i = 0; i < classes; i++) {
        const int32_t distance = scores[best] - scores[i];
        float weight = 1.0f;
        for (int32_t bit = 0; bit < 8; bit++)
            if ((distance >> bit) & 1)
                weight *= factors[bit];
        y[i] = weight * part;
    }
}

static inline float pl_smoothing_clip(float x)
{
    return x > 0.0f ? (x < 1.0f ? x : 1.0f) : 0.0f;
}

static inline int32_t pl_smoothing_best(const pl_word_t *mean, int32_t classes)
{
    int32_t best = 0;
    for (int32_t i = 1; i < classes; i++)
        if (mean[i].f > mean[best].f)
            best = i;
    return best;
}

/* Counts windows without evidence; too many, and everything is forgotten. */
static inline void pl_smoothing_silent(const pl_smoothing_t *k, pl_word_t *state, uint32_t windows)
{
    const uint32_t most = (uint32_t)k->hold + 1u - (uint32_t)state[PL_SMOOTHING_SILENT].i;
    state[PL_SMOOTHING_SILENT].i += (int32_t)(windows < most ? windows : most);
    state[PL_SMOOTHING_RUN].i = 0;
    if (state[PL_SMOOTHING_SILENT].i > k->hold)
        pl_zero(state, PL_SMOOTHING_SILENT);
}

/* Puts a row into the mean. */
static inline void pl_smoothing_keep(const pl_smoothing_t *k, pl_word_t *state, const float *row, float total)
{
    const int32_t n = k->classes, rows = k->rows;
    pl_word_t *mean = state + PL_SMOOTHING_MEAN, *ring = mean + n;
    const int32_t count = state[PL_SMOOTHING_COUNT].i < rows ? state[PL_SMOOTHING_COUNT].i + 1 : rows;
    const int32_t full = state[PL_SMOOTHING_COUNT].i == rows, average = k->weight > 0.0f;
    const int32_t oldest = state[PL_SMOOTHING_OLDEST].i, at = full ? oldest : count - 1;
    const int32_t first = full && oldest + 1 < rows ? oldest + 1 : 0;
    for (int32_t c = 0; c < n; c++) {
        const float share = pl_smoothing_clip(row[c]) / total;
        float *kept = &ring[at * n + c].f;
        *kept = average && full ? *kept + k->weight * (share - *kept) : share;
        mean[c].f = *kept;
        if (count == 1)
            continue;
        float sum = 0.0f;
        for (int32_t i = 0, j = first; i < count; i++, j = j + 1 == rows ? 0 : j + 1)
            sum += ring[j * n + c].f;
        mean[c].f = sum / (float)count;
    }
    state[PL_SMOOTHING_COUNT].i = count;
    state[PL_SMOOTHING_OLDEST].i = first;
}

/* Decides by the mean. */
static inline void pl_smoothing_decide(const pl_smoothing_t *k, pl_word_t *state)
{
    const pl_word_t *mean = state + PL_SMOOTHING_MEAN;
    const int32_t best = pl_smoothing_best(mean, k->classes);
    int32_t label = state[PL_SMOOTHING_LABEL].i, run = 0;
    if (label > 0 && mean[label - 1].f < k->leave)
        label = 0;
    if (best != label - 1 && mean[best].f >= k->enter)
        run = best == state[PL_SMOOTHING_CHALLENGER].i - 1 ? state[PL_SMOOTHING_RUN].i + 1 : 1;
    if (run >= k->debounce) {
        label = best + 1;
        run = 0;
    }
    state[PL_SMOOTHING_LABEL].i = label;
    state[PL_SMOOTHING_CHALLENGER].i = best + 1;
    state[PL_SMOOTHING_RUN].i = run;
    state[PL_SMOOTHING_SILENT].i = 0;
}

/* y: label, confidence, abstained. state: the words above, the mean, then rows x classes. */
static inline int32_t pl_smoothing_step(const void *constants, pl_word_t *state, const float *x, float *y)
{
    const pl_smoothing_t *k = (const pl_smoothing_t *)constants;
    const pl_word_t *mean = state + PL_SMOOTHING_MEAN;
    float total = 0.0f;
    for (int32_t c = 0; c < k->classes; c++)
        total += pl_smoothing_clip(x[c]);
    const int32_t heard = total > 1e-6f && (k->columns == k->classes || x[k->columns - 1] >= k->least_quality);
    if (heard) {
        pl_smoothing_keep(k, state, x, total);
        pl_smoothing_decide(k, state);
    } else {
        pl_smoothing_silent(k, state, 1);
    }
    const int32_t decided = state[PL_SMOOTHING_LABEL].i;
    const int32_t known = state[PL_SMOOTHING_COUNT].i > 0;
    const int32_t label = !known ? 0 : decided > 0 ? decided - 1 : pl_smoothing_best(mean, k->classes);
    y[0] = (float)label;
    y[1] = known ? mean[label].f : 0.0f;
    y[2] = heard && decided > 0 ? 0.0f : 1.0f;
    return 1;
}

static inline uint32_t pl_smoothing_gap(const void *constants, pl_word_t *state, uint32_t lost)
{
    pl_smoothing_silent((const pl_smoothing_t *)constants, state, lost);
    return lost;
}

#endif
