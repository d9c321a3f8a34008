// Sums over a vector in fp64, in two launches: blocks sum pieces of it, and one block sums the pieces. What a piece is depends on the
// vector's length only, so the bits do not depend on the card.
#include "ops/checks.h"
#include "ops/cuda/device.cuh"
#include "ops/cuda_workspace.h"
#include "ops/ops.h"

namespace vaccine::ops {
namespace {

constexpr int kThreads = 256;
using cuda_workspace::kMostPieces;
constexpr int64_t kLeastPiece = 4096;

struct Piece {
    int64_t first, last;
};
__host__ __device__ inline int64_t piece_length(int64_t n) {
    const int64_t even = (n + kMostPieces - 1) / kMostPieces;
    const int64_t length = even > kLeastPiece ? even : kLeastPiece;
    return (length + 7) / 8 * 8;  // whole packs
}

template <class T> struct Sum {
    const T* x;
    template <int N> __device__ double operator()(int64_t i, double sum) const {
        const Pack<T, N> a = load<N>(x + i);
#pragma unroll
        for (int e = 0; e < N; ++e) sum += static_cast<double>(a[e]);
        return sum;
    }
};
template <> template <> __device__ double Sum<double>::operator()<1>(int64_t i, double sum) const {
    return sum + x[i];
}

template <class T> struct Squares {
    const T* x;
    template <int N> __device__ double operator()(int64_t i, double sum) const {
        const Pack<T, N> a = load<N>(x + i);
#pragma unroll
        for (int e = 0; e < N; ++e) sum = fma(static_cast<double>(a[e]), static_cast<double>(a[e]), sum);
        return sum;
    }
};

struct Dot {
    const float *x, *y;
    template <int N> __device__ double operator()(int64_t i, double sum) const {
        const Pack<float, N> a = load<N>(x + i), b = load<N>(y + i);
#pragma unroll
        for (int e = 0; e < N; ++e) sum = fma(static_cast<double>(a[e]), static_cast<double>(b[e]), sum);
        return sum;
    }
};

/// out[block] = the sum over one piece.
template <int N, class F> __global__ void __launch_bounds__(kThreads) sum_pieces(int64_t n, F f, double* out) {
    const int64_t length = piece_length(n), first = blockIdx.x * length;
    const int64_t last = first + length < n ? first + length : n;
    double sum = 0;
    for (int64_t i = first + threadIdx.x * N; i < last; i += kThreads * N) {
        if (i + N <= last)
            sum = f.template operator()<N>(i, sum);
        else
            for (int64_t j = i; j < last; ++j) sum = f.template operator()<1>(j, sum);
    }
    sum = block_sum<kThreads>(sum);
    if (threadIdx.x == 0) out[blockIdx.x] = sum;
}

template <int N, class F> void reduce(const char* op, Stream& stream, int64_t n, bool aligned, const F& f, View out) {
    const int64_t pieces = ceil_div(n, piece_length(n));
    if (pieces == 0) return fill_zero(stream, out);
    double* partial = pieces == 1 ? out.as<double>() : workspace<double>(stream, op, pieces);
    launch(op, stream, aligned ? sum_pieces<N, F> : sum_pieces<1, F>, dim3(static_cast<unsigned>(pieces)), kThreads, 0, n, f, partial);
    if (pieces > 1) launch(op, stream, sum_pieces<1, Sum<double>>, 1, kThreads, 0, pieces, Sum<double>{partial}, out.as<double>());
}

}  // namespace

void dot(Stream& stream, View x, View y, View out) {
    const Check check("dot");
    check.vector("x", x, DType::F32, x.count());
    check.vector("y", y, DType::F32, x.count());
    check.vector("out", out, DType::F64, 1);
    reduce<4>("dot", stream, x.count(), aligned_for(4, x, y), Dot{x.as<float>(), y.as<float>()}, out);
}

void sum_of_squares(Stream& stream, View x, View out) {
    const Check check("sum_of_squares");
    check.number_vector("x", x, x.count());
    check.vector("out", out, DType::F64, 1);
    dispatch(x.dtype, [&](auto zero) {
        using T = decltype(zero);
        constexpr int N = kPackBytes / sizeof(T);
        reduce<N>("sum_of_squares", stream, x.count(), aligned_for(N, x), Squares<T>{x.as<T>()}, out);
    });
}

void sum(Stream& stream, View x, View out) {
    const Check check("sum");
    check.vector("x", x, x.dtype == DType::F64 ? DType::F64 : DType::F32, x.count());
    check.vector("out", out, DType::F64, 1);
    if (x.dtype == DType::F64)
        reduce<1>("sum", stream, x.count(), true, Sum<double>{x.as<double>()}, out);
    else
        reduce<4>("sum", stream, x.count(), aligned_for(4, x), Sum<float>{x.as<float>()}, out);
}

}  // namespace vaccine::ops
