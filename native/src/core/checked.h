#pragma once
#include <cstdint>
#include <limits>

#include "core/error.h"

namespace vaccine {

[[noreturn]] inline void throw_too_large() {
    throw Error(Status::InvalidArgument, "model and batch together are too large: their bytes are more than 63 bits count");
}

/// a * b and a + b of sizes, which are 0 or more; an InvalidArgument where 63 bits do not hold the result.
inline int64_t checked_product(int64_t a, int64_t b) {
    if (a != 0 && b > std::numeric_limits<int64_t>::max() / a) throw_too_large();
    return a * b;
}
inline int64_t checked_sum(int64_t a, int64_t b) {
    if (b > std::numeric_limits<int64_t>::max() - a) throw_too_large();
    return a + b;
}

}  // namespace vaccine
