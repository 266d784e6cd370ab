/* Pulselet runtime: from a net's int8 outputs to a class and its confidence, without libm. C99, float32. */
#ifndef PL_DECIDE_H
#define PL_DECIDE_H

#include "pl_types.h"

/* The class with the greatest score; the first, if several have it. */
static inline int32_t pl_best(const int8_t *scores, int32_t classes)
{
    int32_t best = 0;
    for (int32_t i = 1; i < classes; i++)
        if (scores[i] > scores[best])
            best = i;
    return best;
}

/* Softmax of the best class. factors[k] = exp(-scale * 2^k): a distance of d steps weighs the product over d's bits. */
static inline float pl_confidence(const int8_t *scores, int32_t classes, int32_t best, const float *factors)
{
    float total = 0.0f;
    for (int32_t i = 0; i < classes; i++) {
        const int32_t distance = scores[best] - scores[i];
        float weight = 1.0f;
        for (int32_t bit = 0; bit < 8; bit++)
            if ((distance >> bit) & 1)
                weight *= factors[bit];
        total += weight;
    }
    return 1.0f / total;
}

#endif
