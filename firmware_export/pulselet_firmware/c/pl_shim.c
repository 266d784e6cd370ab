/* Fixed names in front of one bundle, so that the same driver runs it on the host and on an emulated core.
 * Built with -DPL_HEADER="name.h" -DPL_NAME=name; not part of a bundle. */
#include PL_HEADER

#define PL_JOIN_(a, b) a##b
#define PL_JOIN(a, b) PL_JOIN_(a, b)
#define PL_OF(suffix) PL_JOIN(PL_NAME, suffix)

static PL_OF(_t) pl_shim_self;

#ifdef PL_FOOTPRINT
/* What an application links: one bundle's state and its functions, and nothing else that counts. */
int32_t pl_footprint(int32_t stream, const float *samples, int32_t count);
int32_t pl_footprint(int32_t stream, const float *samples, int32_t count)
{
    int32_t used = 0;
    if (count == 0)
        PL_OF(_init)(&pl_shim_self);
    if (count < 0)
        return PL_OF(_gap)(&pl_shim_self, stream, (uint32_t)-count);
    return PL_OF(_push)(&pl_shim_self, stream, samples, count, &used) + PL_OF(_result)(&pl_shim_self)->label + used;
}
#else

enum { PL_SHIM_FLOATS = 1024, PL_SHIM_HEAD = 6, PL_SHIM_RECORDS = 4096 };

float pl_shim_samples[PL_SHIM_FLOATS];
int32_t pl_shim_records[PL_SHIM_RECORDS];

void pl_shim_init(void);
int32_t pl_shim_gap(int32_t stream, uint32_t lost);
int32_t pl_shim_push(int32_t stream, int32_t count, int32_t channels);

void pl_shim_init(void)
{
    PL_OF(_init)(&pl_shim_self);
}

int32_t pl_shim_gap(int32_t stream, uint32_t lost)
{
    return PL_OF(_gap)(&pl_shim_self, stream, lost);
}

/* Pushes the samples in pl_shim_samples and puts one record for each result into pl_shim_records: start (low, high word),
 * class, bits of the confidence, abstained, dropped, scores. Returns the number of records, or a negative error. */
int32_t pl_shim_push(int32_t stream, int32_t count, int32_t channels)
{
    const int32_t classes = (int32_t)sizeof PL_OF(_result)(&pl_shim_self)->scores;
    int32_t *record = pl_shim_records;
    int32_t found = 0, used = 0;
    for (int32_t done = 0;; done += used) {
        const int status = PL_OF(_push)(&pl_shim_self, stream, pl_shim_samples + done * channels, count - done, &used);
        if (status < 0)
            return status;
        if (status == 0)
            return found;
        const PL_OF(_result_t) *r = PL_OF(_result)(&pl_shim_self);
        union { float f; int32_t i; } confidence;
        confidence.f = r->confidence;
        record[0] = (int32_t)(uint32_t)r->start;
        record[1] = (int32_t)(uint32_t)(r->start >> 32);
        record[2] = r->label;
        record[3] = confidence.i;
        record[4] = r->abstained;
        record[5] = (int32_t)r->dropped;
        for (int32_t i = 0; i < classes; i++)
            record[PL_SHIM_HEAD + i] = r->scores[i];
        record += PL_SHIM_HEAD + classes;
        found++;
    }
}

#endif
