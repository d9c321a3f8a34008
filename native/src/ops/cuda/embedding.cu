// The embedding table: rows out of it, and gradients into it.
#include "ops/checks.h"
#include "ops/cuda/rows.cuh"
#include "ops/ops.h"

namespace vaccine::ops {
namespace {

constexpr int kThreads = 256;

/// Whether tokens[t] comes before t already; the same in every thread.
__device__ bool seen_before(const int32_t* tokens, int64_t t) {
    bool seen = false;
    for (int64_t j = threadIdx.x; j < t; j += kThreads) seen |= tokens[j] == tokens[t];
    return __syncthreads_or(seen) != 0;
}

/// A block has a slab of the columns of one token's row, and is the only one that writes them: the block of the token's first place adds
/// the gradients of all its places, in their order, and the blocks of the later ones have nothing to do. What is read of `tokens` comes
/// from the cache: T numbers a block, against rows of thousands.
template <class T, int N> __global__ void __launch_bounds__(kThreads)
    add_to_rows(const int32_t* tokens, const T* dx, float scale, float* dtable, int64_t tokens_count, int64_t columns, unsigned slabs) {
    const int64_t t = blockIdx.x / slabs, c = (static_cast<int64_t>(blockIdx.x % slabs) * kThreads + threadIdx.x) * N;
    if (seen_before(tokens, t)) return;
    __shared__ unsigned places[kThreads / kWarp];  // a bit for each of kThreads places: whether the token stands there
    const bool in = c < columns;
    float* row = dtable + tokens[t] * columns + c;
    Pack<float, N> sum{};
    if (in) sum = load<N>(row);
    for (int64_t first = t; first < tokens_count; first += kThreads) {
        const int64_t place = first + threadIdx.x;
        const unsigned found = __ballot_sync(~0u, place < tokens_count && tokens[place] == tokens[t]);
        if (threadIdx.x % kWarp == 0) places[threadIdx.x / kWarp] = found;
        __syncthreads();
        for (int warp = 0; warp < kThreads / kWarp; ++warp) {
            for (unsigned left = places[warp]; left != 0 && in; left &= left - 1) {
                const Pack<T, N> add = load<N>(dx + (first + warp * kWarp + __ffs(static_cast<int>(left)) - 1) * columns + c);
#pragma unroll
                for (int e = 0; e < N; ++e) sum.item[e] = fmaf(scale, add[e], sum.item[e]);
            }
        }
        __syncthreads();  // places are written again
    }
    if (in) store(row, sum);
}

}  // namespace

void embedding_forward(Stream& stream, View tokens, View table, float scale, View x) {
    const int64_t T = tokens.count(), V = table.rows, C = table.columns;
    const Check check("embedding_forward");
    check.vector("tokens", tokens, DType::I32, T);
    check.number_matrix("table", table, V, C);
    check.number_matrix("x", x, T, C);
    dispatch(table.dtype, [&](auto from) {
        dispatch(x.dtype, [&](auto to) {
            using X = decltype(from);
            using Y = decltype(to);
            constexpr int N = pack_of_both<X, Y>();
            for_each_row_pack<N>("embedding_forward", stream, T, C, aligned_for(N, table, x),
                                 GatherRows<X, Y>{table.as<X>(), tokens.as<int32_t>(), x.as<Y>(), C, scale});
        });
    });
}

void embedding_backward(Stream& stream, View tokens, View dx, float scale, View dtable) {
    const int64_t T = tokens.count(), V = dtable.rows, C = dtable.columns;
    const Check check("embedding_backward");
    check.vector("tokens", tokens, DType::I32, T);
    check.number_matrix("dx", dx, T, C);
    check.matrix("dtable", dtable, DType::F32, V, C);
    if (T == 0 || C == 0) return;
    dispatch(dx.dtype, [&](auto zero) {
        using X = decltype(zero);
        constexpr int N = pack_of_both<X, float>();
        const bool packs = aligned_for(N, dx, dtable) && C % N == 0;
        const int64_t slabs = ceil_div(C, kThreads * (packs ? N : 1));
        launch("embedding_backward", stream, packs ? add_to_rows<X, N> : add_to_rows<X, 1>, dim3(static_cast<unsigned>(T * slabs)),
               kThreads, 0, tokens.as<int32_t>(), dx.as<X>(), scale, dtable.as<float>(), T, C, static_cast<unsigned>(slabs));
    });
}

}  // namespace vaccine::ops
