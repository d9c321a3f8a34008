// The mask of ops::Dropout as kernels use it. A masked matrix lies in rows of `row` elements; its element (i, j) is number
// first + i * row + j of the mask's sequence.
#pragma once
#include <cmath>

#include "ops/ops.h"

namespace nv::ops {

struct DropoutMask {
    RandomKey key;
    uint32_t threshold = 0;  // of 24 bits: word * 2^-24 < probability, in whole numbers; 0: nothing is dropped
    float scale = 1;         // of what is kept
    int64_t first = 0, row = 0;

    NV_HOST_DEVICE bool active() const { return threshold > 0; }
    NV_HOST_DEVICE bool keeps(uint32_t word) const { return word >> 8 >= threshold; }
    NV_HOST_DEVICE int64_t element(int64_t i, int64_t j) const { return first + i * row + j; }
};

inline DropoutMask dropout_mask(const Dropout& dropout, int64_t row) {
    DropoutMask mask;
    mask.key = dropout.key;
    mask.threshold = static_cast<uint32_t>(std::ceil(static_cast<double>(dropout.probability) * 16777216.0));
    mask.scale = 1.0f / (1.0f - dropout.probability);
    mask.row = row;
    return mask;
}

}  // namespace nv::ops
