// Tiles of 14 x 32: 28 of the 32 registers hold sums, two a row of b, and a's elements are broadcast from memory.
#include "ops/cpu/gemm_kernels.h"

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__)
#include "ops/cpu/vector/avx512.h"

namespace vaccine::ops {
namespace {

constexpr int kRows = 14, kDotRows = 8, kSwappedColumns = 8;

/// 16 x 16: lane i's element j becomes step[j]'s element i. load(i) gives lane i.
template <class Load> VACCINE_INLINE void turn(Load load, Vec step[16]) {
    __m512 part[16];  // part[4g + j], 128-bit piece l: step 4l + j of lanes 4g .. 4g + 3
    VACCINE_UNROLL
    for (int g = 0; g < 16; g += 4) {
        const __m512 lane0 = load(g).v, lane1 = load(g + 1).v, lane2 = load(g + 2).v, lane3 = load(g + 3).v;
        const __m512d low01 = _mm512_castps_pd(_mm512_unpacklo_ps(lane0, lane1));
        const __m512d high01 = _mm512_castps_pd(_mm512_unpackhi_ps(lane0, lane1));
        const __m512d low23 = _mm512_castps_pd(_mm512_unpacklo_ps(lane2, lane3));
        const __m512d high23 = _mm512_castps_pd(_mm512_unpackhi_ps(lane2, lane3));
        part[g] = _mm512_castpd_ps(_mm512_unpacklo_pd(low01, low23));
        part[g + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(low01, low23));
        part[g + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(high01, high23));
        part[g + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(high01, high23));
    }
    VACCINE_UNROLL
    for (int j = 0; j < 4; ++j) {
        const __m512 even01 = _mm512_shuffle_f32x4(part[j], part[4 + j], 0x88), odd01 = _mm512_shuffle_f32x4(part[j], part[4 + j], 0xDD);
        const __m512 even23 = _mm512_shuffle_f32x4(part[8 + j], part[12 + j], 0x88);
        const __m512 odd23 = _mm512_shuffle_f32x4(part[8 + j], part[12 + j], 0xDD);
        step[j].v = _mm512_shuffle_f32x4(even01, even23, 0x88);
        step[4 + j].v = _mm512_shuffle_f32x4(odd01, odd23, 0x88);
        step[8 + j].v = _mm512_shuffle_f32x4(even01, even23, 0xDD);
        step[12 + j].v = _mm512_shuffle_f32x4(odd01, odd23, 0xDD);
    }
}

/// A load that the compiler does not put into both of the instructions that take it.
VACCINE_INLINE Vec load_once(const float* from) {
    return {_mm512_maskz_loadu_ps(0xFFFF, from)};
}
VACCINE_INLINE Vec load_once(const uint16_t* from) {
    return load(from, Full{});
}

VACCINE_INLINE Vec load_words(const uint16_t* from) {
    return {_mm512_castsi512_ps(_mm512_loadu_si512(from))};
}
VACCINE_INLINE Vec load_some_words(const uint16_t* from, int64_t steps) {
    const __mmask32 mask = steps >= 32 ? ~__mmask32{0} : (__mmask32{1} << steps) - 1;
    return {_mm512_castsi512_ps(_mm512_maskz_loadu_epi16(mask, from))};
}
VACCINE_INLINE Vec earlier_half(Vec word) {
    return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_castps_si512(word.v), 16))};
}
VACCINE_INLINE Vec later_half(Vec word) {
    return {_mm512_castsi512_ps(_mm512_and_si512(_mm512_castps_si512(word.v), _mm512_set1_epi32(static_cast<int>(0xFFFF0000))))};
}

#include "ops/cpu/vector/gemm.inl"

}  // namespace

const GemmKernels gemm_avx512 = kKernels;

}  // namespace vaccine::ops

#else
const vaccine::ops::GemmKernels vaccine::ops::gemm_avx512 = {};
#endif
