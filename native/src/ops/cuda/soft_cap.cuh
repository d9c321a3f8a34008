// cap * tanh(x / cap), and its slope: of scores and logits.
#pragma once
#include "ops/cuda/device.cuh"

namespace vaccine::ops {

/// 0: none. That is the same in all threads, so that the question costs nothing beside a read from memory.
struct SoftCap {
    float cap, inverse;

    explicit SoftCap(float at) : cap(at), inverse(at == 0 ? 0 : 1 / at) {}
    __device__ float operator()(float x) const { return cap == 0 ? x : cap * tanhf(x * inverse); }
    /// Of what the cap gave. Without one 1, unless y is infinite.
    __device__ float slope(float y) const {
        const float t = y * inverse;
        return fmaf(-t, t, 1.0f);
    }
};

}  // namespace vaccine::ops
