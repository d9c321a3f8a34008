// cap * tanh(x / cap), and its slope: of scores and logits.
#pragma once
#include "ops/cuda/device.cuh"

namespace vaccine::ops {

/// 0: none. That is the same in all threads, so that the question costs nothing beside a read from memory.
struct SoftCap {
    float cap;

    __device__ float operator()(float x) const { return cap == 0 ? x : cap * tanhf(x / cap); }
    /// Of what the cap gave.
    __device__ float slope(float y) const {
        if (cap == 0) return 1;
        const float t = y / cap;
        return fmaf(-t, t, 1.0f);
    }
};

}  // namespace vaccine::ops
