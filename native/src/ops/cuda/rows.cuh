// For kernels that go by rows: packs that never cross the end of a row, and fp32 parameters beside packs of bf16.
#pragma once
#include "ops/cuda/elementwise.cuh"

namespace vaccine::ops {

/// Elements in a pack that are 16 bytes of the larger of both types.
template <class X, class Y> constexpr int pack_of_both() {
    return static_cast<int>(kPackBytes / (sizeof(X) > sizeof(Y) ? sizeof(X) : sizeof(Y)));
}

/// f(PackSize<N>, row, column) handles the N elements from there. A block has a part of one row; a row has `slabs` blocks.
template <int N, class F> __global__ void __launch_bounds__(256) each_row_pack(int64_t columns, unsigned slabs, F f) {
    const int64_t row = blockIdx.x / slabs, column = (static_cast<int64_t>(blockIdx.x % slabs) * blockDim.x + threadIdx.x) * N;
    if (column < columns) f(PackSize<N>{}, row, column);
}

/// Runs f over a matrix, in packs of N where `aligned` and rows consist of whole packs.
template <int N, class F>
void for_each_row_pack(const char* op, const Stream& stream, int64_t rows, int64_t columns, bool aligned, const F& f) {
    if (rows == 0 || columns == 0) return;
    const bool whole = aligned && columns % N == 0;
    const int64_t packs = whole ? columns / N : columns;
    const int64_t threads = packs < 256 ? ceil_div(packs, kWarp) * kWarp : 256, slabs = ceil_div(packs, threads);
    launch(op, stream, whole ? each_row_pack<N, F> : each_row_pack<1, F>, dim3(static_cast<unsigned>(rows * slabs)),
           dim3(static_cast<unsigned>(threads)), 0, columns, static_cast<unsigned>(slabs), f);
}

/// y[i] = factor * x[rows[i]]
template <class X, class Y> struct GatherRows {
    const X* x;
    const int32_t* rows;
    Y* y;
    int64_t columns;
    float factor = 1;
    template <int N> __device__ void operator()(PackSize<N>, int64_t i, int64_t c) const {
        const Pack<X, N> from = load<N>(x + rows[i] * columns + c);
        Pack<Y, N> to;
#pragma unroll
        for (int e = 0; e < N; ++e) to.set(e, factor * from[e]);
        store(y + i * columns + c, to);
    }
};

template <int N> struct Floats { float item[N]; };

/// Whether a row of `columns` activations of T may go in packs of 16 bytes beside fp32 parameters that load_floats brings.
template <class T> bool rows_of_packs(int64_t columns) {
    return columns % (sizeof(T) == 4 ? 4 : 16) == 0;
}

/// Parameters `pack` * N .. of a row of them, for the lane whose activations are that pack. All lanes of the warp must call it, lane l for
/// an even pack where l is even and the pack after it where l is odd; where `in` is false nothing is read (the same in both lanes).
/// Eight of them are two loads: lanes go halves on each other's, so that every load of a warp takes whole sectors.
template <int N> __device__ Floats<N> load_floats(const float* row, int64_t pack, bool in) {
    Floats<N> result{};
    if constexpr (N <= 4) {
        if (!in) return result;
        const Pack<float, N> values = load<N>(row + pack * N);
#pragma unroll
        for (int e = 0; e < N; ++e) result.item[e] = values.item[e];
    } else {
        static_assert(N == 8, "two loads");
        const bool odd = pack % 2 != 0;
        const float* from = row + pack / 2 * 16 + (odd ? 4 : 0);
        Pack<float, 4> first{}, second{};  // of the even lane's eight and of the odd lane's
        if (in) {
            first = load<4>(from);
            second = load<4>(from + 8);
        }
#pragma unroll
        for (int e = 0; e < 4; ++e) {
            const float other = __shfl_xor_sync(~0u, odd ? first.item[e] : second.item[e], 1);
            result.item[e] = odd ? other : first.item[e];
            result.item[e + 4] = odd ? second.item[e] : other;
        }
    }
    return result;
}

}  // namespace vaccine::ops
