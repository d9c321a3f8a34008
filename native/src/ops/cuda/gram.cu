// Products and combinations of whole samples, in fp64. A sample's rows lie one behind another, so that a product of two is one of vectors;
// where there are few pairs of samples a block sums a piece of it. Bound by memory where fp64 is fast.
#include "ops/gram_pieces.h"

#include "ops/checks.h"
#include "ops/cuda/rows.cuh"
#include "ops/ops.h"

namespace vaccine::ops {
namespace {

constexpr int kThreads = 256;

struct Samples {
    const float* rows;
    const int32_t* offsets;
    int count;
    int64_t columns;

    __device__ int64_t length(int sample) const { return offsets[sample + 1] - offsets[sample]; }
    __device__ const float* row(int sample, int64_t t) const { return rows + (offsets[sample] + t) * columns; }
};

/// out[piece][a][b] = the product over one piece of two samples.
template <int N> __global__ void __launch_bounds__(kThreads) gram_pieces(Samples x, Samples y, int64_t length, double* out) {
    const int pairs = x.count * y.count, pair = static_cast<int>(blockIdx.x) % pairs, a = pair / y.count, b = pair % y.count;
    const int64_t rows = x.length(a) < y.length(b) ? x.length(a) : y.length(b), n = rows * x.columns;
    const int64_t first = blockIdx.x / static_cast<unsigned>(pairs) * length, last = first + length < n ? first + length : n;
    const float *left = x.row(a, 0), *right = y.row(b, 0);
    double sum = 0;
    for (int64_t i = first + threadIdx.x * N; i < last; i += kThreads * N) {  // rows consist of whole packs
        const Pack<float, N> p = load<N>(left + i), q = load<N>(right + i);
#pragma unroll
        for (int e = 0; e < N; ++e) sum = fma(static_cast<double>(p[e]), static_cast<double>(q[e]), sum);
    }
    sum = block_sum<kThreads>(sum);
    if (threadIdx.x == 0) out[blockIdx.x] = sum;
}

/// out[pair] = the sum over its pieces, in their order.
__global__ void __launch_bounds__(kThreads) gram_sums(const double* partial, int pairs, int pieces, double* out) {
    const int pair = static_cast<int>(blockIdx.x * kThreads + threadIdx.x);
    if (pair >= pairs) return;
    double sum = 0;
    for (int piece = 0; piece < pieces; ++piece) sum += partial[piece * pairs + pair];
    out[pair] = sum;
}

struct AddCombination {
    Samples x;
    const double* coefficients;  // (samples of y, samples of x)
    float* y;
    const int32_t* y_offsets;
    int64_t longest;
    template <int N> __device__ void operator()(PackSize<N>, int64_t i, int64_t c) const {
        const int a = static_cast<int>(i / longest);
        const int64_t t = i % longest;
        if (t >= y_offsets[a + 1] - y_offsets[a]) return;
        float* to = y + (y_offsets[a] + t) * x.columns + c;
        Pack<float, N> value = load<N>(to);
        double sum[N];
#pragma unroll
        for (int e = 0; e < N; ++e) sum[e] = static_cast<double>(value[e]);
        for (int b = 0; b < x.count; ++b) {
            if (t >= x.length(b)) continue;
            const double factor = coefficients[a * x.count + b];
            const Pack<float, N> add = load<N>(x.row(b, t) + c);
#pragma unroll
            for (int e = 0; e < N; ++e) sum[e] = fma(factor, static_cast<double>(add[e]), sum[e]);
        }
#pragma unroll
        for (int e = 0; e < N; ++e) value.item[e] = static_cast<float>(sum[e]);
        store(to, value);
    }
};

Samples samples_of(const View& x, const View& offsets) {
    return {x.as<float>(), offsets.as<int32_t>(), static_cast<int>(offsets.count() - 1), x.columns};
}

}  // namespace

void gram(Stream& stream, View x, View x_offsets, View y, View y_offsets, int64_t longest, View out) {
    const Check check("gram");
    check_samples(check, x, x_offsets, y, y_offsets, longest);
    const Samples left = samples_of(x, x_offsets), right = samples_of(y, y_offsets);
    check.matrix("out", out, DType::F64, left.count, right.count);
    const int pairs = left.count * right.count;
    if (pairs == 0) return;
    const GramPieces pieces(right.count, longest, x.columns);
    double* partial = pieces.count == 1 ? out.as<double>() : workspace<double>(stream, "gram", pieces.count * pairs);
    const bool packs = aligned_for(4, x, y) && x.columns % 4 == 0;
    launch("gram", stream, packs ? gram_pieces<4> : gram_pieces<1>, dim3(static_cast<unsigned>(pieces.count * pairs)), kThreads, 0, left,
           right, pieces.length, partial);
    if (pieces.count > 1)
        launch("gram", stream, gram_sums, dim3(static_cast<unsigned>(ceil_div(pairs, kThreads))), kThreads, 0, partial, pairs,
               static_cast<int>(pieces.count), out.as<double>());
}

void add_combination(Stream& stream, View x, View x_offsets, View coefficients, View y, View y_offsets, int64_t longest) {
    const Check check("add_combination");
    check_samples(check, x, x_offsets, y, y_offsets, longest);
    const Samples from = samples_of(x, x_offsets);
    const int64_t A = y_offsets.count() - 1;
    check.matrix("coefficients", coefficients, DType::F64, A, from.count);
    for_each_row_pack<4>("add_combination", stream, A * longest, x.columns, aligned_for(4, x, y),
                         AddCombination{from, coefficients.as<double>(), y.as<float>(), y_offsets.as<int32_t>(), longest});
}

}  // namespace vaccine::ops
