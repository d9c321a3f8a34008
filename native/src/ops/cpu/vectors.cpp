#include <cmath>
#include <cstring>
#include <numeric>

#include "ops/checks.h"
#include "ops/cpu/ranges.h"
#include "ops/cpu/vector_kernels.h"
#include "ops/ops.h"

namespace vaccine::ops {
namespace {

constexpr int64_t kMaximumPieces = 1024;
constexpr int64_t kPieceElements = 4096;

/// Sums f(first, last) over pieces of [0, n) in their order. The pieces depend on n only.
template <class F> double sum_of_pieces(Stream& stream, int64_t n, F f) {
    double partial[kMaximumPieces];
    const int64_t grain = std::max(kPieceElements, (n + kMaximumPieces - 1) / kMaximumPieces);
    for_ranges(stream, n, grain, [&](int64_t first, int64_t last) { partial[first / grain] = f(first, last); });
    double total = 0;
    for (int64_t piece = 0; piece * grain < n; ++piece) total += partial[piece];
    return total;
}

const void* element(const View& view, int64_t i) {
    return view.as<const char>() + i * size_of(view.dtype);
}
void* mutable_element(const View& view, int64_t i) {
    return view.as<char>() + i * size_of(view.dtype);
}

float norm_factor(float numerator, const View& sum_of_squares, float epsilon) {
    return static_cast<float>(static_cast<double>(numerator) / (std::sqrt(*sum_of_squares.as<double>()) + static_cast<double>(epsilon)));
}

}  // namespace

void fill_zero(Stream& stream, View x) {
    for_ranges(stream, x.bytes(), kTaskElements * 16,
               [&](int64_t first, int64_t last) { std::memset(x.as<char>() + first, 0, static_cast<size_t>(last - first)); });
}

void copy(Stream& stream, View from, View to) {
    const Check check("copy");
    check.number_vector("from", from, from.count());
    check.number_vector("to", to, from.count());
    const auto convert = vector_kernels().convert[type_index(from.dtype)][type_index(to.dtype)];
    for_ranges(stream, from.count(), kTaskElements,
               [&](int64_t first, int64_t last) { convert(element(from, first), mutable_element(to, first), last - first); });
}

void scale(Stream& stream, View x, float factor) {
    Check("scale").vector("x", x, DType::F32, x.count());
    const VectorKernels& kernels = vector_kernels();
    for_ranges(stream, x.count(), kTaskElements,
               [&](int64_t first, int64_t last) { kernels.scale(x.as<float>() + first, factor, last - first); });
}

void axpy(Stream& stream, float alpha, View x, View y) {
    const Check check("axpy");
    check.number_vector("x", x, x.count());
    check.number_vector("y", y, x.count());
    const auto add = vector_kernels().axpy[type_index(x.dtype)][type_index(y.dtype)];
    for_ranges(stream, x.count(), kTaskElements,
               [&](int64_t first, int64_t last) { add(alpha, element(x, first), mutable_element(y, first), last - first); });
}

void multiply_add(Stream& stream, float alpha, View a, View b, View y) {
    const Check check("multiply_add");
    check.vector("a", a, DType::F32, y.count());
    check.vector("b", b, DType::F32, y.count());
    check.vector("y", y, DType::F32, y.count());
    const VectorKernels& kernels = vector_kernels();
    for_ranges(stream, y.count(), kTaskElements, [&](int64_t first, int64_t last) {
        kernels.multiply_add(alpha, a.as<float>() + first, b.as<float>() + first, y.as<float>() + first, last - first);
    });
}

void scale_to_norm(Stream& stream, View x, float numerator, View sum_of_squares, float epsilon) {
    const Check check("scale_to_norm");
    check.vector("x", x, DType::F32, x.count());
    check.vector("sum_of_squares", sum_of_squares, DType::F64, 1);
    scale(stream, x, norm_factor(numerator, sum_of_squares, epsilon));
}

void axpy_to_norm(Stream& stream, float numerator, View sum_of_squares, float epsilon, View x, View y) {
    const Check check("axpy_to_norm");
    check.vector("sum_of_squares", sum_of_squares, DType::F64, 1);
    check.vector("x", x, DType::F32, x.count());
    check.vector("y", y, DType::F32, x.count());
    axpy(stream, norm_factor(numerator, sum_of_squares, epsilon), x, y);
}

void dot(Stream& stream, View x, View y, View out) {
    const Check check("dot");
    check.vector("x", x, DType::F32, x.count());
    check.vector("y", y, DType::F32, x.count());
    check.vector("out", out, DType::F64, 1);
    const VectorKernels& kernels = vector_kernels();
    *out.as<double>() = sum_of_pieces(stream, x.count(), [&](int64_t first, int64_t last) {
        return kernels.dot(x.as<float>() + first, y.as<float>() + first, last - first);
    });
}

void sum_of_squares(Stream& stream, View x, View out) {
    const Check check("sum_of_squares");
    check.number_vector("x", x, x.count());
    check.vector("out", out, DType::F64, 1);
    const auto squares = vector_kernels().sum_of_squares[type_index(x.dtype)];
    *out.as<double>() =
        sum_of_pieces(stream, x.count(), [&](int64_t first, int64_t last) { return squares(element(x, first), last - first); });
}

void sum(Stream& stream, View x, View out) {
    const Check check("sum");
    check.vector("x", x, x.dtype == DType::F64 ? DType::F64 : DType::F32, x.count());
    check.vector("out", out, DType::F64, 1);
    if (x.dtype == DType::F64) {  // a handful of scalars
        *out.as<double>() = std::accumulate(x.as<double>(), x.as<double>() + x.count(), 0.0);
        return;
    }
    const VectorKernels& kernels = vector_kernels();
    *out.as<double>() =
        sum_of_pieces(stream, x.count(), [&](int64_t first, int64_t last) { return kernels.sum(x.as<float>() + first, last - first); });
}

}  // namespace vaccine::ops
