#pragma once
#include <cuda_runtime_api.h>

#include <string>

namespace vaccine {

/// Throws what a failed call of the CUDA runtime means for the caller: what was being done, the runtime's own words, the next step.
/// Used by device_cuda.cpp, which defines it, and by ops/cuda.
[[noreturn]] void throw_cuda(cudaError_t error, const std::string& what);

}  // namespace vaccine
