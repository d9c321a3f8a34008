#pragma once
#include <atomic>
#include <cstdint>
#include <memory>

namespace vaccine {

/// The GEMM backend of a GPU. The numbers are part of the C ABI (vaccine_gemm).
enum class GemmChoice : int32_t { Own = 0, Cublas = 1, Auto = 2 };

/// The queue that ops run on, and the scratch memory that they may use while they run. One op at a time uses a stream.
/// handle: a ThreadPool in the cpu build, a cudaStream_t in the cuda build.
/// workspace: in the engine's memory, at least ops::workspace_bytes() of the largest need; planned and taken with everything else.
struct Stream {
    void* handle = nullptr;
    void* workspace = nullptr;
    int64_t workspace_bytes = 0;
    const std::atomic<bool>* interrupt = nullptr;  // of a cuda stream: see Device::watch
    std::shared_ptr<void> cublas;                  // where cuBLAS is to multiply (ops::choose_gemm): the stream's handle and workspace
};

}  // namespace vaccine
