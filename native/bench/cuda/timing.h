#pragma once
#include <functional>
#include <vector>

#include "core/stream.h"

namespace vaccine::bench {

/// Median seconds of one call on a GPU, by events: warmed up, the runs in turn, so that none finds its data in a cache.
double seconds_of(const Stream& stream, const std::vector<std::function<void()>>& runs);

/// Floating-point operations a second of mma.sync alone, in bf16 with fp32 sums.
double mma_rate(const Stream& stream, int multiprocessors);

/// Bytes a second that a copy within the card's memory reads and writes.
double copy_rate(const Stream& stream);

}  // namespace vaccine::bench
