#pragma once
#include "core/stream.h"
#include "core/thread_pool.h"

namespace vaccine::ops {

/// The threads of a cpu stream.
inline ThreadPool& pool(Stream& stream) {
    return *static_cast<ThreadPool*>(stream.handle);
}
inline const ThreadPool& pool(const Stream& stream) {
    return *static_cast<const ThreadPool*>(stream.handle);
}

}  // namespace vaccine::ops
