/* Pulselet runtime: the types that a bundle's public header needs. C99. */
#ifndef PL_TYPES_H
#define PL_TYPES_H

#include <stdint.h>

enum {
    PL_E_STREAM = -1,            /* no such stream */
    PL_E_AHEAD = -2,             /* this stream is too far ahead: push the others first */
    PL_E_RANGE = -3              /* a count that makes no sense */
};

/* One word of a stage's state. */
typedef union { float f; int32_t i; } pl_word_t;

#endif
