// The mask of ops::Dropout as kernels use it. A masked matrix lies in rows of `row` elements; its element (i, j) is number
// first + i * row + j of the mask's sequence.
#pragma once
#include <cmath>

#include "ops/ops.h"

namespace vaccine::ops {

struct DropoutMask {
    PhiloxKeys keys;  // made on the host: a kernel has them as constants, and Philox is a third shorter
    uint32_t step = 0, purpose = 0;
    uint32_t threshold = 0;  // random_uniform(word) < probability, in whole numbers: word < threshold; 0: nothing is dropped
    float scale = 1;         // of what is kept
    int64_t first = 0, row = 0;

    VACCINE_HOST_DEVICE bool active() const { return threshold > 0; }
    VACCINE_HOST_DEVICE bool keeps(uint32_t word) const { return word >= threshold; }
    VACCINE_HOST_DEVICE int64_t element(int64_t i, int64_t j) const { return first + i * row + j; }
    /// The words of four elements, of which `element` is one.
    VACCINE_HOST_DEVICE RandomBlock words(int64_t element) const {
        const uint64_t block = static_cast<uint64_t>(element) / 4;
        return philox(static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32), step, purpose, keys);
    }
};

inline DropoutMask dropout_mask(const Dropout& dropout, int64_t row) {
    DropoutMask mask;
    mask.keys = PhiloxKeys(dropout.key.seed);
    mask.step = dropout.key.step;
    mask.purpose = dropout.key.purpose;
    mask.threshold = static_cast<uint32_t>(std::ceil(static_cast<double>(dropout.probability) * 16777216.0)) << 8;
    mask.scale = 1.0f / (1.0f - dropout.probability);
    mask.row = row;
    return mask;
}

}  // namespace vaccine::ops
