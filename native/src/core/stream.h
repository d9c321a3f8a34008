#pragma once
#include <cstdint>

namespace nv {

/// The queue that ops run on, and the scratch memory that they may use while they run. One op at a time uses a stream.
/// handle: a ThreadPool in the cpu build, a cudaStream_t in the cuda build.
/// workspace: in the engine's memory, at least ops::workspace_bytes() of the largest need; planned and taken with everything else.
struct Stream {
    void* handle = nullptr;
    void* workspace = nullptr;
    int64_t workspace_bytes = 0;
};

}  // namespace nv
