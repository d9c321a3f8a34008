#pragma once
#include <algorithm>
#include <cstdint>
#include <string>

#include "core/error.h"
#include "core/stream.h"

namespace vaccine::ops {

constexpr int64_t kLineBytes = 64;

/// Floats between the rows of a scratch matrix with `columns` columns: an odd number of cache lines, so that the rows of a column do not
/// all fall into the same few sets of the cache.
constexpr int64_t padded_row(int64_t columns) {
    constexpr int64_t line = kLineBytes / 4;
    return ((columns + line - 1) / line | 1) * line;
}

/// Hands out pieces of one worker's part of a stream's workspace.
class Scratch {
public:
    /// bytes: of each worker's part.
    Scratch(const Stream& stream, int32_t worker, int64_t bytes) : next_(static_cast<char*>(stream.workspace) + worker * bytes) {}

    template <class T> T* take(int64_t count) {
        T* piece = reinterpret_cast<T*>(next_);
        next_ += bytes_of<T>(count);
        return piece;
    }
    /// What take<T>(count) uses up.
    template <class T> static constexpr int64_t bytes_of(int64_t count) {
        return (count * static_cast<int64_t>(sizeof(T)) + kLineBytes - 1) / kLineBytes * kLineBytes;
    }

private:
    char* next_;
};

/// Throws unless the stream's workspace has `bytes` for each of `workers`.
inline void require_workspace(const char* op, const Stream& stream, int32_t workers, int64_t bytes) {
    if (stream.workspace_bytes >= workers * bytes) return;
    throw Error(Status::InvalidArgument, std::string(op) + ": workspace: expected " + std::to_string(workers * bytes) + " bytes, got " +
                                             std::to_string(stream.workspace_bytes));
}

}  // namespace vaccine::ops
