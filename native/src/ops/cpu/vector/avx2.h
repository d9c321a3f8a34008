// Eight fp32 lanes with FMA; see avx512.h.
#pragma once
#include <immintrin.h>

#include "ops/cpu/vector/lanes.h"
#include "ops/cpu/vector/transpose_avx.h"

namespace vaccine::ops {
namespace {

struct Vec {
    static constexpr int64_t width = 8;
    static constexpr int tile_rows = 6;  // of the matrix product: 6 x 2 sums, 2 columns and 1 factor stay in 16 registers
    __m256 v;
};

VACCINE_INLINE __m256i mask_of(Part lanes) {
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(lanes.count)), lane);
}

VACCINE_INLINE Vec all(float value) {
    return {_mm256_set1_ps(value)};
}
VACCINE_INLINE Vec load(const float* p, Full) {
    return {_mm256_loadu_ps(p)};
}
VACCINE_INLINE Vec load(const float* p, Part lanes) {
    return {_mm256_maskload_ps(p, mask_of(lanes))};
}
VACCINE_INLINE void store(float* p, Vec x, Full) {
    _mm256_storeu_ps(p, x.v);
}
VACCINE_INLINE void store(float* p, Vec x, Part lanes) {
    _mm256_maskstore_ps(p, mask_of(lanes), x.v);
}

VACCINE_INLINE Vec load(const uint16_t* p, Full) {
    const __m128i halves = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return {_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(halves), 16))};
}
VACCINE_INLINE Vec load(const uint16_t* p, Part lanes) {
    uint16_t halves[8] = {};
    for (int64_t i = 0; i < lanes.count; ++i) halves[i] = p[i];
    return load(halves, Full{});
}
VACCINE_INLINE __m128i round_to_bf16(Vec x) {
    const __m256i bits = _mm256_castps_si256(x.v);
    const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    const __m256i rounded = _mm256_add_epi32(_mm256_add_epi32(bits, _mm256_set1_epi32(0x7FFF)), odd);
    const __m256i quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x400000));
    const __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(x.v, x.v, _CMP_UNORD_Q));
    const __m256i halves = _mm256_srli_epi32(_mm256_blendv_epi8(rounded, quiet, nan), 16);
    return _mm_packus_epi32(_mm256_castsi256_si128(halves), _mm256_extracti128_si256(halves, 1));
}
VACCINE_INLINE void store(uint16_t* p, Vec x, Full) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), round_to_bf16(x));
}
VACCINE_INLINE void store(uint16_t* p, Vec x, Part lanes) {
    uint16_t halves[8];
    store(halves, x, Full{});
    for (int64_t i = 0; i < lanes.count; ++i) p[i] = halves[i];
}

VACCINE_INLINE Vec operator+(Vec a, Vec b) {
    return {_mm256_add_ps(a.v, b.v)};
}
VACCINE_INLINE Vec operator-(Vec a, Vec b) {
    return {_mm256_sub_ps(a.v, b.v)};
}
VACCINE_INLINE Vec operator*(Vec a, Vec b) {
    return {_mm256_mul_ps(a.v, b.v)};
}
VACCINE_INLINE Vec operator/(Vec a, Vec b) {
    return {_mm256_div_ps(a.v, b.v)};
}
VACCINE_INLINE Vec multiply_add(Vec a, Vec b, Vec c) {
    return {_mm256_fmadd_ps(a.v, b.v, c.v)};
}
VACCINE_INLINE Vec subtract_product(Vec a, Vec b, Vec c) {
    return {_mm256_fnmadd_ps(a.v, b.v, c.v)};
}
VACCINE_INLINE Vec larger(Vec a, Vec b) {
    return {_mm256_max_ps(a.v, b.v)};
}
VACCINE_INLINE Vec smaller(Vec a, Vec b) {
    return {_mm256_min_ps(a.v, b.v)};
}
VACCINE_INLINE Vec square_root(Vec x) {
    return {_mm256_sqrt_ps(x.v)};
}
VACCINE_INLINE Vec round(Vec x) {
    return {_mm256_round_ps(x.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}
VACCINE_INLINE __m256 power_of_two(__m256i n) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(n, _mm256_set1_epi32(127)), 23));
}
/// In two steps, for 2^n alone may overflow or vanish where the product does not.
VACCINE_INLINE Vec times_power_of_two(Vec x, Vec n) {
    const __m256i whole = _mm256_cvtps_epi32(n.v), half = _mm256_srai_epi32(whole, 1);
    return {_mm256_mul_ps(_mm256_mul_ps(x.v, power_of_two(half)), power_of_two(_mm256_sub_epi32(whole, half)))};
}
VACCINE_INLINE Vec fill_rest(Vec x, float, Full) {
    return x;
}
VACCINE_INLINE Vec fill_rest(Vec x, float value, Part lanes) {
    return {_mm256_blendv_ps(_mm256_set1_ps(value), x.v, _mm256_castsi256_ps(mask_of(lanes)))};
}

VACCINE_INLINE float sum_of_lanes(Vec x) {
    __m128 sum = _mm_add_ps(_mm256_castps256_ps128(x.v), _mm256_extractf128_ps(x.v, 1));
    sum = _mm_add_ps(sum, _mm_movehl_ps(sum, sum));
    return _mm_cvtss_f32(_mm_add_ss(sum, _mm_shuffle_ps(sum, sum, 1)));
}
VACCINE_INLINE float largest_of_lanes(Vec x) {
    __m128 most = _mm_max_ps(_mm256_castps256_ps128(x.v), _mm256_extractf128_ps(x.v, 1));
    most = _mm_max_ps(most, _mm_movehl_ps(most, most));
    return _mm_cvtss_f32(_mm_max_ss(most, _mm_shuffle_ps(most, most, 1)));
}

struct WideSum {
    __m256d low, high;
};
VACCINE_INLINE WideSum zero_sum() {
    return {_mm256_setzero_pd(), _mm256_setzero_pd()};
}
VACCINE_INLINE __m256d low_half(Vec x) {
    return _mm256_cvtps_pd(_mm256_castps256_ps128(x.v));
}
VACCINE_INLINE __m256d high_half(Vec x) {
    return _mm256_cvtps_pd(_mm256_extractf128_ps(x.v, 1));
}
VACCINE_INLINE void add_product(WideSum& sum, Vec a, Vec b) {
    sum.low = _mm256_fmadd_pd(low_half(a), low_half(b), sum.low);
    sum.high = _mm256_fmadd_pd(high_half(a), high_half(b), sum.high);
}
VACCINE_INLINE void add(WideSum& sum, Vec x) {
    sum.low = _mm256_add_pd(low_half(x), sum.low);
    sum.high = _mm256_add_pd(high_half(x), sum.high);
}
VACCINE_INLINE double total(WideSum sum) {
    const __m256d both = _mm256_add_pd(sum.low, sum.high);
    const __m128d pair = _mm_add_pd(_mm256_castpd256_pd128(both), _mm256_extractf128_pd(both, 1));
    return _mm_cvtsd_f64(_mm_add_sd(pair, _mm_unpackhi_pd(pair, pair)));
}

}  // namespace
}  // namespace vaccine::ops
