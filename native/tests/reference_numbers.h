// What references in double are made of, in tests and benchmarks alike: numbers as they lie in memory, masks, and how far off sums may be.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>

#include "core/bf16.h"
#include "core/dtype.h"
#include "ops/ops.h"

namespace vaccine::testing {

template <class T> T load_as(const unsigned char* bytes, int64_t index) {
    T value;
    std::memcpy(&value, bytes + index * static_cast<int64_t>(sizeof value), sizeof value);
    return value;
}

inline double number_at(DType type, const unsigned char* bytes, int64_t index) {
    switch (type) {
        case DType::F32:
            return static_cast<double>(load_as<float>(bytes, index));
        case DType::BF16:
            return static_cast<double>(bf16_to_float(load_as<uint16_t>(bytes, index)));
        case DType::I32:
            return load_as<int32_t>(bytes, index);
        case DType::F64:
            return load_as<double>(bytes, index);
    }
    return 0;
}

inline double round_to_bf16(double value) {
    return static_cast<double>(bf16_to_float(bf16_from_float(static_cast<float>(value))));
}

/// What dropout multiplies an element by: 0 or 1 / (1 - p).
inline double dropout_factor(const ops::Dropout& dropout, int64_t element) {
    const float u = random_uniform(random_block(dropout.key, static_cast<uint64_t>(element / 4)).word[element % 4]);
    return u < dropout.probability ? 0 : 1 / (1 - double{dropout.probability});
}

/// How far off an fp32 sum of K terms may be, by the sum of their sizes: at most K 2^-24; roundings that do not conspire make sqrt(K) of
/// that.
inline double sum_error(int64_t K) {
    return (8 + std::sqrt(static_cast<double>(K))) / 16777216;
}
/// Of a number that is rounded to bf16, by its size.
constexpr double kHalfError = 1.01 / 256;
/// Of one that is kept as two terms of bf16, the second of which is at most the error of the first.
constexpr double kSplitError = kHalfError * kHalfError;
/// Of the product of two such numbers, without the product of both second terms.
constexpr double kSplitProductError = 3 * kSplitError;

}  // namespace vaccine::testing
