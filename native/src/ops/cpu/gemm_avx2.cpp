// Tiles of 6 x 16: 12 of the 16 registers hold sums, two a row of b and one the factor from a.
#include "ops/cpu/gemm_kernels.h"

#if defined(__AVX2__) && (defined(__FMA__) || defined(_MSC_VER))
#include "ops/cpu/vector/avx2.h"

namespace vaccine::ops {
namespace {

constexpr int kRows = 6, kDotRows = 4, kSwappedColumns = 6;

/// 8 x 8: lane i's element j becomes step[j]'s element i. load(i) gives lane i.
template <class Load> VACCINE_INLINE void turn(Load load, Vec step[8]) {
    __m256 part[8];  // part[4g + j]: columns j and 4 + j of lanes 4g .. 4g + 3
    VACCINE_UNROLL
    for (int g = 0; g < 8; g += 4) {
        const __m256 lane0 = load(g).v, lane1 = load(g + 1).v, lane2 = load(g + 2).v, lane3 = load(g + 3).v;
        const __m256 low01 = _mm256_unpacklo_ps(lane0, lane1), high01 = _mm256_unpackhi_ps(lane0, lane1);
        const __m256 low23 = _mm256_unpacklo_ps(lane2, lane3), high23 = _mm256_unpackhi_ps(lane2, lane3);
        part[g] = _mm256_shuffle_ps(low01, low23, 0x44);
        part[g + 1] = _mm256_shuffle_ps(low01, low23, 0xEE);
        part[g + 2] = _mm256_shuffle_ps(high01, high23, 0x44);
        part[g + 3] = _mm256_shuffle_ps(high01, high23, 0xEE);
    }
    VACCINE_UNROLL
    for (int j = 0; j < 4; ++j) {
        step[j].v = _mm256_permute2f128_ps(part[j], part[4 + j], 0x20);
        step[4 + j].v = _mm256_permute2f128_ps(part[j], part[4 + j], 0x31);
    }
}

template <class T> VACCINE_INLINE Vec load_once(const T* from) {
    return load(from, Full{});
}

VACCINE_INLINE Vec load_words(const uint16_t* from) {
    return {_mm256_castsi256_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)))};
}
VACCINE_INLINE Vec load_some_words(const uint16_t* from, int64_t steps) {
    uint16_t some[16] = {};
    for (int64_t i = 0; i < steps && i < 16; ++i) some[i] = from[i];
    return load_words(some);
}
VACCINE_INLINE Vec earlier_half(Vec word) {
    return {_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(word.v), 16))};
}
VACCINE_INLINE Vec later_half(Vec word) {
    return {_mm256_castsi256_ps(_mm256_and_si256(_mm256_castps_si256(word.v), _mm256_set1_epi32(static_cast<int>(0xFFFF0000))))};
}

#include "ops/cpu/vector/gemm.inl"

}  // namespace

const GemmKernels gemm_avx2 = kKernels;

}  // namespace vaccine::ops

#else
const vaccine::ops::GemmKernels vaccine::ops::gemm_avx2 = {};
#endif
