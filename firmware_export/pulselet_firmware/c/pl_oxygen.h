/* Pulselet runtime: perfusion index and oxygen saturation of a window. The same arithmetic as signal/oxygen.py.
 *
 * A saturation is worth what the curve is worth: calibrate it (ISO 80601-2-61). */
#ifndef PL_OXYGEN_H
#define PL_OXYGEN_H

#include "pl_stage.h"
#include "pl_math.h"

typedef struct {
    int32_t length, channels, segment, segments;
    float samples;               /* `length` again */
} pl_perfusion_t;

typedef struct {
    int32_t length, apart;
    float samples;               /* `length` again */
    const float *curve;          /* a, b, c of a + b R + c R^2 */
    float highest_ratio, least_part, least_power;
    float least_change;          /* power of a change at the least, over the square of the mean */
} pl_oxygen_t;

static inline float pl_oxygen_mean(const float *x, int32_t length, int32_t channels, float samples)
{
    float total = 0.0f;
    for (int32_t i = 0; i < length; i++)
        total = total + x[i * channels];
    return total / samples;
}

static inline float pl_oxygen_within(float value, float highest)
{
    return value > 0.0f ? (value < highest ? value : highest) : 0.0f;
}

static inline float pl_oxygen_height(const float *x, int32_t length, int32_t channels)
{
    float low = x[0], high = x[0];
    for (int32_t i = 1; i < length; i++) {
        const float v = x[i * channels];
        low = v < low ? v : low;
        high = v > high ? v : high;
    }
    return high - low;
}

/* state: the heights of the segments, sorted. */
static inline int32_t pl_perfusion_step(const void *constants, pl_word_t *state, const float *x, float *y)
{
    const pl_perfusion_t *k = (const pl_perfusion_t *)constants;
    const int32_t first = k->length - k->segments * k->segment;
    for (int32_t c = 0; c < k->channels; c++) {
        for (int32_t i = 0; i < k->segments; i++) {
            const float *part = x + (first + i * k->segment) * k->channels + c;
            const float height = pl_oxygen_height(part, k->segment, k->channels);
            int32_t j = i;
            for (; j > 0 && state[j - 1].f > height; j--)
                state[j] = state[j - 1];
            state[j].f = height;
        }
        const float height = state[k->segments / 2].f;
        const float mean = pl_oxygen_mean(x + c, k->length, k->channels, k->samples);
        y[c] = mean > height ? 100.0f * (height / mean) : (mean > 0.0f ? 100.0f : 0.0f);
    }
    return 1;
}

static inline int32_t pl_oxygen_step(const void *constants, pl_word_t *state, const float *x, float *y)
{
    const pl_oxygen_t *k = (const pl_oxygen_t *)constants;
    const float red = pl_oxygen_mean(x, k->length, 2, k->samples);
    const float infrared = pl_oxygen_mean(x + 1, k->length, 2, k->samples);
    float both = 0.0f, red_power = 0.0f, power = 0.0f;
    (void)state;
    for (int32_t i = k->apart; i < k->length; i++) {
        const float *now = x + 2 * i, *before = now - 2 * k->apart;
        const float a = now[0] - before[0], b = now[1] - before[1];
        both = both + a * b;
        red_power = red_power + a * a;
        power = power + b * b;
    }
    y[0] = y[1] = y[2] = 0.0f;
    if (!(power > k->least_power && red_power > k->least_power && infrared > 0.0f && red > k->least_part * infrared))
        return 1;
    if (!(red_power > red * red * k->least_change && power > infrared * infrared * k->least_change))
        return 1;
    const float ratio = pl_oxygen_within(both / power * (infrared / red), k->highest_ratio);
    y[0] = pl_oxygen_within(k->curve[0] + ratio * (k->curve[1] + ratio * k->curve[2]), 100.0f);
    y[1] = ratio;
    y[2] = pl_oxygen_within(both / (pl_sqrtf(red_power) * pl_sqrtf(power)), 1.0f);
    return 1;
}

#endif
