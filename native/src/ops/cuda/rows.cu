// Rows by index: bound by memory, every element is read and written once.
#include "ops/checks.h"
#include "ops/cuda/rows.cuh"
#include "ops/ops.h"

namespace vaccine::ops {
namespace {

template <class X, class Y> struct ScatterRows {
    const X* x;
    const int32_t* rows;
    Y* y;
    int64_t columns;
    template <int N> __device__ void operator()(PackSize<N>, int64_t i, int64_t c) const {
        const Pack<X, N> from = load<N>(x + i * columns + c);
        Pack<Y, N> to;
#pragma unroll
        for (int e = 0; e < N; ++e) to.set(e, from[e]);
        store(y + rows[i] * columns + c, to);
    }
};

template <class X, class Y> struct ScatterAddRows {
    const X* x;
    const int32_t* rows;
    Y* y;
    int64_t columns;
    template <int N> __device__ void operator()(PackSize<N>, int64_t i, int64_t c) const {
        Y* at = y + rows[i] * columns + c;
        const Pack<X, N> add = load<N>(x + i * columns + c);
        Pack<Y, N> sum = load<N>(at);
#pragma unroll
        for (int e = 0; e < N; ++e) sum.set(e, sum[e] + add[e]);
        store(at, sum);
    }
};

/// few (N, C) is the compact side, many (M, C) the one that `rows` points into.
void check_rows(const char* op, const char* few_name, const View& few, const char* many_name, const View& many, const View& rows) {
    const Check check(op);
    check.vector("rows", rows, DType::I32, few.rows);
    check.number_matrix(few_name, few, few.rows, few.columns);
    check.number_matrix(many_name, many, many.rows, few.columns);
}

/// Kernel<X, Y> on every row that `rows` names.
template <template <class, class> class Kernel>
void move_rows(const char* op, const Stream& stream, const View& x, const View& rows, const View& y) {
    dispatch(x.dtype, [&](auto from) {
        dispatch(y.dtype, [&](auto to) {
            using X = decltype(from);
            using Y = decltype(to);
            constexpr int N = pack_of_both<X, Y>();
            for_each_row_pack<N>(op, stream, rows.count(), x.columns, aligned_for(N, x, y),
                                 Kernel<X, Y>{x.as<X>(), rows.as<int32_t>(), y.as<Y>(), x.columns});
        });
    });
}

}  // namespace

void gather_rows(Stream& stream, View x, View rows, View y) {
    check_rows("gather_rows", "y", y, "x", x, rows);
    move_rows<GatherRows>("gather_rows", stream, x, rows, y);
}

void scatter_rows(Stream& stream, View x, View rows, View y) {
    check_rows("scatter_rows", "x", x, "y", y, rows);
    move_rows<ScatterRows>("scatter_rows", stream, x, rows, y);
}

void scatter_add_rows(Stream& stream, View x, View rows, View y) {
    check_rows("scatter_add_rows", "x", x, "y", y, rows);
    move_rows<ScatterAddRows>("scatter_add_rows", stream, x, rows, y);
}

}  // namespace vaccine::ops
