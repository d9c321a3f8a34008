// Shared by the adapter's kernels: eight neighbouring activations in registers.
#pragma once
#include "ops/cuda/dropout.h"
#include "ops/cuda/mma.cuh"

namespace nv::ops {

constexpr int kLowRankThreads = 256, kLowRankWarps = kLowRankThreads / kWarp;

/// Eight bf16; word[i] holds elements 2i, 2i+1.
struct Eight {
    uint32_t word[4];

    /// Zeros unless `wanted`.
    __device__ static Eight load(const bf16* from, bool wanted) {
        const uint4 words = wanted ? __ldg(reinterpret_cast<const uint4*>(from)) : make_uint4(0, 0, 0, 0);
        return {{words.x, words.y, words.z, words.w}};
    }
    /// element: of the first one, a multiple of 4.
    __device__ void drop(const DropoutMask& mask, int64_t element) {
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            const RandomBlock block = random_block(mask.key, static_cast<uint64_t>(element) / 4 + half);
#pragma unroll
            for (int i = 0; i < 2; ++i)
                word[half * 2 + i] &=
                    (mask.keeps(block.word[i * 2]) ? 0xFFFFu : 0u) | (mask.keeps(block.word[i * 2 + 1]) ? 0xFFFF0000u : 0u);
        }
    }
};

}  // namespace nv::ops
