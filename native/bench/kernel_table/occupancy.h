// Active warps by CUDA's own calculator, cuda_occupancy.h.
#pragma once

namespace vaccine::kernels {

struct Occupancy {
    int active_warps = 0, most_warps = 0;  // of a multiprocessor
};

/// Throws std::runtime_error if the calculator refuses.
Occupancy occupancy(int architecture, int threads, int registers, int static_shared_bytes, int dynamic_shared_bytes);

}  // namespace vaccine::kernels
