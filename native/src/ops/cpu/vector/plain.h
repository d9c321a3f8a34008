// Four fp32 lanes in plain C++, for processors without AVX2; see avx512.h. A product and a sum are rounded separately here.
#pragma once
#include <math.h>  // not <cmath>: its inline overloads are the standard library's

#include "core/bf16.h"
#include "ops/cpu/vector/lanes.h"

namespace vaccine::ops {
namespace {

struct Vec {
    static constexpr int64_t width = 4;
    static constexpr int tile_rows = 4;
    float v[4];
};

VACCINE_INLINE int64_t count_of(Full) {
    return Vec::width;
}
VACCINE_INLINE int64_t count_of(Part lanes) {
    return lanes.count;
}
template <class F> VACCINE_INLINE Vec each_lane(F f) {
    Vec result;
    for (int i = 0; i < Vec::width; ++i) result.v[i] = f(i);
    return result;
}

VACCINE_INLINE Vec all(float value) {
    return {{value, value, value, value}};
}
template <class Lanes> VACCINE_INLINE Vec load(const float* p, Lanes lanes) {
    Vec result = all(0);
    for (int64_t i = 0; i < count_of(lanes); ++i) result.v[i] = p[i];
    return result;
}
template <class Lanes> VACCINE_INLINE void store(float* p, Vec x, Lanes lanes) {
    for (int64_t i = 0; i < count_of(lanes); ++i) p[i] = x.v[i];
}
template <class Lanes> VACCINE_INLINE Vec load(const uint16_t* p, Lanes lanes) {
    Vec result = all(0);
    for (int64_t i = 0; i < count_of(lanes); ++i) result.v[i] = bf16_to_float(p[i]);
    return result;
}
template <class Lanes> VACCINE_INLINE void store(uint16_t* p, Vec x, Lanes lanes) {
    for (int64_t i = 0; i < count_of(lanes); ++i) p[i] = bf16_from_float(x.v[i]);
}

VACCINE_INLINE Vec operator+(Vec a, Vec b) {
    return each_lane([&](int i) { return a.v[i] + b.v[i]; });
}
VACCINE_INLINE Vec operator-(Vec a, Vec b) {
    return each_lane([&](int i) { return a.v[i] - b.v[i]; });
}
VACCINE_INLINE Vec operator*(Vec a, Vec b) {
    return each_lane([&](int i) { return a.v[i] * b.v[i]; });
}
VACCINE_INLINE Vec operator/(Vec a, Vec b) {
    return each_lane([&](int i) { return a.v[i] / b.v[i]; });
}
VACCINE_INLINE Vec multiply_add(Vec a, Vec b, Vec c) {
    return each_lane([&](int i) { return a.v[i] * b.v[i] + c.v[i]; });
}
VACCINE_INLINE Vec subtract_product(Vec a, Vec b, Vec c) {
    return each_lane([&](int i) { return c.v[i] - a.v[i] * b.v[i]; });
}
VACCINE_INLINE Vec larger(Vec a, Vec b) {
    return each_lane([&](int i) { return a.v[i] > b.v[i] ? a.v[i] : b.v[i]; });
}
VACCINE_INLINE Vec smaller(Vec a, Vec b) {
    return each_lane([&](int i) { return a.v[i] < b.v[i] ? a.v[i] : b.v[i]; });
}
VACCINE_INLINE Vec square_root(Vec x) {
    return each_lane([&](int i) { return sqrtf(x.v[i]); });
}
VACCINE_INLINE Vec round(Vec x) {
    return each_lane([&](int i) { return rintf(x.v[i]); });
}
VACCINE_INLINE Vec times_power_of_two(Vec x, Vec n) {
    return each_lane([&](int i) { return n.v[i] == n.v[i] ? ldexpf(x.v[i], static_cast<int>(n.v[i])) : n.v[i]; });
}
template <class Lanes> VACCINE_INLINE Vec fill_rest(Vec x, float value, Lanes lanes) {
    return each_lane([&](int i) { return i < count_of(lanes) ? x.v[i] : value; });
}

VACCINE_INLINE float sum_of_lanes(Vec x) {
    return (x.v[0] + x.v[2]) + (x.v[1] + x.v[3]);
}
VACCINE_INLINE float largest_of_lanes(Vec x) {
    const float a = x.v[0] > x.v[1] ? x.v[0] : x.v[1], b = x.v[2] > x.v[3] ? x.v[2] : x.v[3];
    return a > b ? a : b;
}

struct WideSum {
    double v[4];
};
VACCINE_INLINE WideSum zero_sum() {
    return {{0, 0, 0, 0}};
}
VACCINE_INLINE void add_product(WideSum& sum, Vec a, Vec b) {
    for (int i = 0; i < Vec::width; ++i) sum.v[i] += static_cast<double>(a.v[i]) * static_cast<double>(b.v[i]);
}
VACCINE_INLINE void add(WideSum& sum, Vec x) {
    for (int i = 0; i < Vec::width; ++i) sum.v[i] += static_cast<double>(x.v[i]);
}
VACCINE_INLINE double total(WideSum sum) {
    return (sum.v[0] + sum.v[2]) + (sum.v[1] + sum.v[3]);
}

constexpr int64_t kTransposeBlock = 4;

VACCINE_INLINE void transpose_block(const float* from, int64_t from_row, float* to, int64_t to_row) {
    for (int64_t r = 0; r < kTransposeBlock; ++r)
        for (int64_t c = 0; c < kTransposeBlock; ++c) to[c * to_row + r] = from[r * from_row + c];
}

}  // namespace
}  // namespace vaccine::ops
