#pragma once
#include <algorithm>
#include <cstdint>

#include "ops/cpu/pool.h"

namespace vaccine::ops {

/// Elements that one task of a memory-bound op takes: about five microseconds, several times what it costs to hand a task out.
constexpr int64_t kTaskElements = 16384;

/// f(first, last) for pieces of [0, n) with `grain` elements each, on the stream's threads. The pieces do not depend on their number.
template <class F> void for_ranges(Stream& stream, int64_t n, int64_t grain, F f) {
    const int64_t pieces = (n + grain - 1) / grain;
    if (pieces <= 1) {
        if (n > 0) f(int64_t{0}, n);
        return;
    }
    pool(stream).parallel_for(pieces, [&](int64_t piece) { f(piece * grain, std::min(n, (piece + 1) * grain)); });
}

/// f(first, last) over the rows of a matrix; `cost`: of one element, compared with a copy.
template <class F> void for_rows(Stream& stream, int64_t rows, int64_t columns, int64_t cost, F f) {
    for_ranges(stream, rows, std::max<int64_t>(1, kTaskElements / (std::max<int64_t>(1, columns) * cost)), f);
}

}  // namespace vaccine::ops
