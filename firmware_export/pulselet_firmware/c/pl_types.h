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

/* Where the next window is. Positions are relative to its start, so that nothing grows with time. */
typedef struct {
    int32_t head;
    uint32_t dropped;            /* windows that touched a gap */
    uint64_t start;              /* index of the next window's first sample */
} pl_cutter_t;

#endif
