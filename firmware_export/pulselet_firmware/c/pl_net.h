/* Pulselet runtime: int8 operations along time, equal to those of TFLite Micro bit for bit. C99, integers only.
 *
 * Activations are (length, channels), channels innermost. Weights have a zero point of 0. Signed numbers are two's
 * complement and >> of a negative one is arithmetic, as on every compiler for the cores we know. */
#ifndef PL_NET_H
#define PL_NET_H

#include <stdint.h>

/* How an accumulator becomes an int8: output = clamp(acc * multiplier * 2^(shift - 31) + zero). */
typedef struct {
    const int32_t *multiplier;   /* one for each output channel */
    const int8_t *shift;         /* > 0 to the left */
    int32_t zero, low, high;
} pl_requantise_t;

typedef struct {
    int32_t in_length, in_channels, out_length, out_channels;
    int32_t kernel, stride, pad, dilation;
    int32_t in_zero;
    const int8_t *weights;       /* conv: out_channels x kernel x in_channels; depthwise: kernel x out_channels */
    const int32_t *bias;         /* out_channels */
    pl_requantise_t out;
} pl_conv_t;

typedef struct {
    int32_t inputs, outputs;
    int32_t in_zero;
    const int8_t *weights;       /* outputs x inputs */
    const int32_t *bias;         /* outputs */
    pl_requantise_t out;
} pl_dense_t;

typedef struct {
    int32_t in_length, out_length, channels, kernel, stride, pad, low, high;
} pl_max_pool_t;

typedef struct {
    int32_t length, channels, in_zero;
    pl_requantise_t out;         /* one multiplier, the division by length included */
} pl_mean_t;

/* round(x * multiplier * 2^(shift - 31)), rounded twice: first the doubling high product, then the shift
 * (gemmlowp's fixed point, Jacob et al., arXiv 1712.05877). */
static inline int32_t pl_scale_by(int32_t x, int32_t multiplier, int32_t shift)
{
    const int32_t left = shift > 0 ? shift : 0, right = shift > 0 ? 0 : -shift;
    const int64_t product = (int64_t)(int32_t)((uint32_t)x << left) * multiplier;
    const int64_t nudged = product + (product >= 0 ? (1 << 30) : 1 - (1 << 30));
    const int32_t high = (int32_t)(nudged / ((int64_t)1 << 31));
    const int32_t mask = (int32_t)(((int64_t)1 << right) - 1);
    return (high >> right) + ((high & mask) > (mask >> 1) + (high < 0));
}

static inline int8_t pl_requantise(const pl_requantise_t *k, int32_t channel, int32_t acc)
{
    const int32_t y = pl_scale_by(acc, k->multiplier[channel], k->shift[channel]) + k->zero;
    return (int8_t)(y < k->low ? k->low : y > k->high ? k->high : y);
}

static inline void pl_conv(const pl_conv_t *k, const int8_t *in, int8_t *out)
{
    for (int32_t t = 0; t < k->out_length; t++)
        for (int32_t o = 0; o < k->out_channels; o++) {
            const int8_t *w = k->weights + o * k->kernel * k->in_channels;
            int32_t acc = k->bias[o];
            for (int32_t j = 0; j < k->kernel; j++, w += k->in_channels) {
                const int32_t at = t * k->stride - k->pad + j * k->dilation;
                if (at < 0 || at >= k->in_length)
                    continue;
                const int8_t *x = in + at * k->in_channels;
                for (int32_t c = 0; c < k->in_channels; c++)
                    acc += w[c] * (x[c] - k->in_zero);
            }
            *out++ = pl_requantise(&k->out, o, acc);
        }
}

static inline void pl_depthwise(const pl_conv_t *k, const int8_t *in, int8_t *out)
{
    const int32_t per_input = k->out_channels / k->in_channels;
    for (int32_t t = 0; t < k->out_length; t++)
        for (int32_t o = 0; o < k->out_channels; o++) {
            const int8_t *x = in + o / per_input;
            int32_t acc = k->bias[o];
            for (int32_t j = 0; j < k->kernel; j++) {
                const int32_t at = t * k->stride - k->pad + j * k->dilation;
                if (at >= 0 && at < k->in_length)
                    acc += k->weights[j * k->out_channels + o] * (x[at * k->in_channels] - k->in_zero);
            }
            *out++ = pl_requantise(&k->out, o, acc);
        }
}

static inline void pl_dense(const pl_dense_t *k, const int8_t *in, int8_t *out)
{
    const int8_t *w = k->weights;
    for (int32_t o = 0; o < k->outputs; o++, w += k->inputs) {
        int32_t acc = k->bias[o];
        for (int32_t i = 0; i < k->inputs; i++)
            acc += w[i] * (in[i] - k->in_zero);
        out[o] = pl_requantise(&k->out, o, acc);
    }
}

static inline void pl_max_pool(const pl_max_pool_t *k, const int8_t *in, int8_t *out)
{
    for (int32_t t = 0; t < k->out_length; t++)
        for (int32_t c = 0; c < k->channels; c++) {
            int32_t best = -128;
            for (int32_t j = 0; j < k->kernel; j++) {
                const int32_t at = t * k->stride - k->pad + j;
                if (at >= 0 && at < k->in_length && in[at * k->channels + c] > best)
                    best = in[at * k->channels + c];
            }
            *out++ = (int8_t)(best < k->low ? k->low : best > k->high ? k->high : best);
        }
}

static inline void pl_mean(const pl_mean_t *k, const int8_t *in, int8_t *out)
{
    for (int32_t c = 0; c < k->channels; c++) {
        int32_t acc = -k->in_zero * k->length;
        for (int32_t t = 0; t < k->length; t++)
            acc += in[t * k->channels + c];
        out[c] = pl_requantise(&k->out, 0, acc);
    }
}

#endif
