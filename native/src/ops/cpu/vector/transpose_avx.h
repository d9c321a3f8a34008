// Transposes 8 x 8 blocks in registers; for avx2.h and avx512.h.
#pragma once
#include <immintrin.h>

#include "ops/cpu/vector/lanes.h"

namespace vaccine::ops {
namespace {

constexpr int64_t kTransposeBlock = 8;

VACCINE_INLINE void transpose_block(const float* from, int64_t from_row, float* to, int64_t to_row) {
    __m256 pair[8], quad[8];
    // Rows 2i and 2i+1 interleaved, then pairs of rows, then halves.
    for (int i = 0; i < 4; ++i) {
        const __m256 even = _mm256_loadu_ps(from + 2 * i * from_row), odd = _mm256_loadu_ps(from + (2 * i + 1) * from_row);
        pair[2 * i] = _mm256_unpacklo_ps(even, odd);
        pair[2 * i + 1] = _mm256_unpackhi_ps(even, odd);
    }
    for (int i = 0; i < 2; ++i) {
        for (int j = 0; j < 2; ++j) {
            quad[4 * i + 2 * j] = _mm256_shuffle_ps(pair[4 * i + j], pair[4 * i + j + 2], _MM_SHUFFLE(1, 0, 1, 0));
            quad[4 * i + 2 * j + 1] = _mm256_shuffle_ps(pair[4 * i + j], pair[4 * i + j + 2], _MM_SHUFFLE(3, 2, 3, 2));
        }
    }
    for (int i = 0; i < 4; ++i) {
        _mm256_storeu_ps(to + i * to_row, _mm256_permute2f128_ps(quad[i], quad[i + 4], 0x20));
        _mm256_storeu_ps(to + (i + 4) * to_row, _mm256_permute2f128_ps(quad[i], quad[i + 4], 0x31));
    }
}

}  // namespace
}  // namespace vaccine::ops
