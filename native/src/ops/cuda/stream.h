#pragma once
#include <cuda_runtime_api.h>

#include <string>

#include "core/cuda_error.h"
#include "core/error.h"
#include "core/stream.h"

namespace vaccine::ops {

/// The queue of a cuda stream.
inline cudaStream_t queue(const Stream& stream) {
    return static_cast<cudaStream_t>(stream.handle);
}

/// Throws an Error that names the op, and the next step, unless `error` is success.
inline void check_cuda(cudaError_t error, const char* op) {
    if (error != cudaSuccess) throw_cuda(error, op);
}

/// What CUDA says of the current device; 1 where it fails, which the launch that follows reports.
inline int device_attribute(cudaDeviceAttr name) {
    int device = 0, value = 1;
    cudaGetDevice(&device);
    cudaDeviceGetAttribute(&value, name, device);
    return value;
}

constexpr int64_t ceil_div(int64_t n, int64_t by) {
    return (n + by - 1) / by;
}

/// `bytes` of the stream's workspace from byte `first` on; throws where it is too small. Ops run in the order of their calls, so each may
/// use all of it.
template <class T> T* workspace(const Stream& stream, const char* op, int64_t count, int64_t first = 0) {
    const int64_t needed = first + count * static_cast<int64_t>(sizeof(T));
    if (stream.workspace_bytes < needed)
        throw Error(Status::InvalidArgument, std::string(op) + ": workspace: expected " + std::to_string(needed) + " bytes, got " +
                                                 std::to_string(stream.workspace_bytes));
    return reinterpret_cast<T*>(static_cast<char*>(stream.workspace) + first);
}

}  // namespace vaccine::ops
