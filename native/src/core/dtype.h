#pragma once
#include <cstdint>

namespace vaccine {

/// Element types. The numbers are part of the C ABI (vaccine_dtype).
enum class DType : int32_t { F32 = 0, BF16 = 1, I32 = 2, F64 = 3 };

constexpr int64_t size_of(DType type) {
    return type == DType::BF16 ? 2 : type == DType::F64 ? 8 : 4;
}

}  // namespace vaccine
