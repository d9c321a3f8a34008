// Random vectors: an element depends on the key and its index only. A thread makes the four elements of one Philox block.
#include "ops/checks.h"
#include "ops/cuda/elementwise.cuh"
#include "ops/ops.h"

namespace vaccine::ops {
namespace {

constexpr int kBlock = 4;  // elements of one Philox call

/// Where elements go alone (the end of a vector, or one that is not aligned) each makes its block again.
template <class Values> struct Fill {
    float* x;
    RandomKey key;
    Values values;
    template <int N> __device__ void operator()(PackSize<N>, int64_t i) const {
        const RandomBlock random = random_block(key, static_cast<uint64_t>(i / kBlock));
        float made[kBlock];
        values(random, made);
        if constexpr (N == kBlock) {
            store(x + i, Pack<float, kBlock>{{made[0], made[1], made[2], made[3]}});
        } else {
            const int e = static_cast<int>(i % kBlock);
            x[i] = e == 0 ? made[0] : e == 1 ? made[1] : e == 2 ? made[2] : made[3];
        }
    }
};

struct Normal {
    float deviation;

    /// Two numbers from two words (Box & Muller 1958). The first uniform is in (0, 1]: its logarithm is finite.
    __device__ void pair(uint32_t a, uint32_t b, float* made) const {
        const float radius = deviation * sqrtf(-2.0f * logf(1.0f - random_uniform(a)));
        float sine, cosine;
        sincospif(2.0f * random_uniform(b), &sine, &cosine);
        made[0] = radius * cosine;
        made[1] = radius * sine;
    }
    __device__ void operator()(const RandomBlock& random, float* made) const {
        pair(random.word[0], random.word[1], made);
        pair(random.word[2], random.word[3], made + 2);
    }
};

struct Uniform {
    float low, high;
    __device__ void operator()(const RandomBlock& random, float* made) const {
#pragma unroll
        for (int e = 0; e < kBlock; ++e) {
            // Product and sum rounded one after the other: the bits of the cpu build.
            const float value = __fadd_rn(low, __fmul_rn(high - low, random_uniform(random.word[e])));
            made[e] = value < high ? value : low;  // where rounding reaches the open end
        }
    }
};

template <class Values> void fill(const char* op, const Stream& stream, const View& x, const RandomKey& key, const Values& values) {
    Check(op).vector("x", x, DType::F32, x.count());
    for_each_pack<kBlock>(op, stream, x.count(), aligned_for(kBlock, x), Fill<Values>{x.as<float>(), key, values});
}

}  // namespace

void fill_normal(Stream& stream, View x, float deviation, const RandomKey& key) {
    fill("fill_normal", stream, x, key, Normal{deviation});
}

void fill_uniform(Stream& stream, View x, float low, float high, const RandomKey& key) {
    fill("fill_uniform", stream, x, key, Uniform{low, high});
}

}  // namespace vaccine::ops
