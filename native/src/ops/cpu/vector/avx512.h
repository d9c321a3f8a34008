// Sixteen fp32 lanes. The names here are the vocabulary that the kernels are written in; avx2.h and plain.h have the same.
#pragma once
#include <immintrin.h>

#include "ops/cpu/vector/lanes.h"
#include "ops/cpu/vector/transpose_avx.h"

namespace vaccine::ops {
namespace {

struct Vec {
    static constexpr int64_t width = 16;
    static constexpr int tile_rows = 8;  // of the matrix product: 8 x 2 sums, 2 columns and 1 factor stay in 32 registers
    __m512 v;
};

VACCINE_INLINE __mmask16 mask_of(Part lanes) {
    return static_cast<__mmask16>((1u << lanes.count) - 1);
}

VACCINE_INLINE Vec all(float value) {
    return {_mm512_set1_ps(value)};
}
VACCINE_INLINE Vec load(const float* p, Full) {
    return {_mm512_loadu_ps(p)};
}
VACCINE_INLINE Vec load(const float* p, Part lanes) {
    return {_mm512_maskz_loadu_ps(mask_of(lanes), p)};
}
VACCINE_INLINE void store(float* p, Vec x, Full) {
    _mm512_storeu_ps(p, x.v);
}
VACCINE_INLINE void store(float* p, Vec x, Part lanes) {
    _mm512_mask_storeu_ps(p, mask_of(lanes), x.v);
}

VACCINE_INLINE Vec widen(__m256i halves) {
    return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(halves), 16))};
}
VACCINE_INLINE Vec load(const uint16_t* p, Full) {
    return widen(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
VACCINE_INLINE Vec load(const uint16_t* p, Part lanes) {
    return widen(_mm256_maskz_loadu_epi16(mask_of(lanes), p));
}
VACCINE_INLINE __m256i round_to_bf16(Vec x) {
    const __m512i bits = _mm512_castps_si512(x.v);
    const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    const __m512i rounded = _mm512_add_epi32(_mm512_add_epi32(bits, _mm512_set1_epi32(0x7FFF)), odd);
    const __m512i quiet = _mm512_or_si512(bits, _mm512_set1_epi32(0x400000));
    const __mmask16 nan = _mm512_cmp_ps_mask(x.v, x.v, _CMP_UNORD_Q);
    return _mm512_cvtepi32_epi16(_mm512_srli_epi32(_mm512_mask_blend_epi32(nan, rounded, quiet), 16));
}
VACCINE_INLINE void store(uint16_t* p, Vec x, Full) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), round_to_bf16(x));
}
VACCINE_INLINE void store(uint16_t* p, Vec x, Part lanes) {
    _mm256_mask_storeu_epi16(p, mask_of(lanes), round_to_bf16(x));
}

VACCINE_INLINE Vec operator+(Vec a, Vec b) {
    return {_mm512_add_ps(a.v, b.v)};
}
VACCINE_INLINE Vec operator-(Vec a, Vec b) {
    return {_mm512_sub_ps(a.v, b.v)};
}
VACCINE_INLINE Vec operator*(Vec a, Vec b) {
    return {_mm512_mul_ps(a.v, b.v)};
}
VACCINE_INLINE Vec operator/(Vec a, Vec b) {
    return {_mm512_div_ps(a.v, b.v)};
}
/// a*b + c
VACCINE_INLINE Vec multiply_add(Vec a, Vec b, Vec c) {
    return {_mm512_fmadd_ps(a.v, b.v, c.v)};
}
/// c - a*b
VACCINE_INLINE Vec subtract_product(Vec a, Vec b, Vec c) {
    return {_mm512_fnmadd_ps(a.v, b.v, c.v)};
}
/// b where either is NaN; so does smaller.
VACCINE_INLINE Vec larger(Vec a, Vec b) {
    return {_mm512_max_ps(a.v, b.v)};
}
VACCINE_INLINE Vec smaller(Vec a, Vec b) {
    return {_mm512_min_ps(a.v, b.v)};
}
VACCINE_INLINE Vec square_root(Vec x) {
    return {_mm512_sqrt_ps(x.v)};
}
VACCINE_INLINE Vec round(Vec x) {
    return {_mm512_roundscale_ps(x.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}
/// x * 2^n for whole n.
VACCINE_INLINE Vec times_power_of_two(Vec x, Vec n) {
    return {_mm512_scalef_ps(x.v, n.v)};
}
/// The lanes beyond the count become `value`.
VACCINE_INLINE Vec fill_rest(Vec x, float, Full) {
    return x;
}
VACCINE_INLINE Vec fill_rest(Vec x, float value, Part lanes) {
    return {_mm512_mask_blend_ps(mask_of(lanes), _mm512_set1_ps(value), x.v)};
}

VACCINE_INLINE float sum_of_lanes(Vec x) {
    return _mm512_reduce_add_ps(x.v);
}
VACCINE_INLINE float largest_of_lanes(Vec x) {
    return _mm512_reduce_max_ps(x.v);
}

/// A sum in fp64.
struct WideSum {
    __m512d low, high;
};
VACCINE_INLINE WideSum zero_sum() {
    return {_mm512_setzero_pd(), _mm512_setzero_pd()};
}
VACCINE_INLINE __m512d low_half(Vec x) {
    return _mm512_cvtps_pd(_mm512_castps512_ps256(x.v));
}
VACCINE_INLINE __m512d high_half(Vec x) {
    return _mm512_cvtps_pd(_mm512_extractf32x8_ps(x.v, 1));
}
VACCINE_INLINE void add_product(WideSum& sum, Vec a, Vec b) {
    sum.low = _mm512_fmadd_pd(low_half(a), low_half(b), sum.low);
    sum.high = _mm512_fmadd_pd(high_half(a), high_half(b), sum.high);
}
VACCINE_INLINE void add(WideSum& sum, Vec x) {
    sum.low = _mm512_add_pd(low_half(x), sum.low);
    sum.high = _mm512_add_pd(high_half(x), sum.high);
}
VACCINE_INLINE double total(WideSum sum) {
    return _mm512_reduce_add_pd(_mm512_add_pd(sum.low, sum.high));
}

}  // namespace
}  // namespace vaccine::ops
