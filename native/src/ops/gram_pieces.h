#pragma once
#include <algorithm>
#include <cstdint>

namespace vaccine::ops {

/// How a product of two samples is summed: in `count` pieces of `length` elements. More than one where a Gram matrix has few elements, so
/// that all threads have work. Between samples that are packed alike, element (a, b) is summed as (b, a) is.
struct GramPieces {
    int64_t count = 1, length = 0;

    GramPieces(int64_t samples, int64_t longest, int64_t columns) {
        constexpr int64_t kMost = 1024, kLeast = 4096;
        const int64_t elements = longest * columns, most = kMost / std::max<int64_t>(1, samples * samples);
        count = std::max<int64_t>(1, std::min(most, (elements + kLeast - 1) / kLeast));
        length = ((elements + count - 1) / count + 7) / 8 * 8;  // whole packs
    }
};

}  // namespace vaccine::ops
