// Shared by the adapter's kernels: four activations in registers.
#pragma once
#include "ops/cuda/dropout.h"
#include "ops/cuda/mma.cuh"

namespace vaccine::ops {

/// Four neighbouring bf16; word[i] holds elements 2i, 2i+1.
struct Four {
    uint32_t word[2];

    /// Zeros unless `wanted`.
    __device__ static Four load(const bf16* from, bool wanted) {
        const uint2 words = wanted ? __ldg(reinterpret_cast<const uint2*>(from)) : make_uint2(0, 0);
        return {{words.x, words.y}};
    }
    /// element: the number of the first, a multiple of 4.
    __device__ void drop(const DropoutMask& mask, int64_t element) {
        const RandomBlock block = mask.words(element);
#pragma unroll
        for (int i = 0; i < 2; ++i)
            word[i] &= (mask.keeps(block.word[i * 2]) ? 0xFFFFu : 0u) | (mask.keeps(block.word[i * 2 + 1]) ? 0xFFFF0000u : 0u);
    }
};

}  // namespace vaccine::ops
