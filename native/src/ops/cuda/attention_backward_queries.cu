// dq: a block has 64 queries of one head, a warp 16 of them, and walks over the keys that any of them sees.
//     P = exp(scale q k^T - lse),  dS = P (dout v^T - delta),  dq = scale dS k
#include "ops/cuda/attention_backward.cuh"

namespace vaccine::ops::attention {
namespace {

template <int HD> struct QueryGradients {
    static constexpr int kQueries = 64, kThreads = kQueries / kMmaM * kWarp;
    static constexpr bool kKeepQueries = HD <= 128;  // q and dout in registers; of wider heads they stay in shared memory
    static constexpr int kKeys = kKeepQueries ? 32 : 16;
    static constexpr int kTileBytes = Tile<HD>::bytes(kKeys), kQueryBytes = Tile<HD>::bytes(kQueries);
    static constexpr int kStages = 2;  // keys and values in use, and those on their way
    static constexpr int kRing = kStages * 2 * kTileBytes;
    static constexpr int kShared = kKeepQueries ? kRing : kRing + 2 * kQueryBytes;
    static_assert(!kKeepQueries || kRing == 2 * kQueryBytes, "q and dout come in through the ring");
    using Queries = std::conditional_t<kKeepQueries, RowsInRegisters<HD>, RowsInTile<HD>>;
};

/// Blocks of keys and values, each pair in one of two stages.
template <int HD> struct KeyBlocks {
    using G = QueryGradients<HD>;
    const bf16 *k, *v;  // the sample's first row of the kv head
    int64_t stride;
    uint32_t memory;
    int first, last, length;  // blocks

    __device__ uint32_t stage(int block) const { return memory + static_cast<uint32_t>(block % G::kStages * 2 * G::kTileBytes); }
    __device__ void fetch(int block) const {
        if (block > last) return;
        const int key = block * G::kKeys;
        Tile<HD>::template load<G::kKeys, G::kThreads>(stage(block), k + key * stride, stride, length - key);
        Tile<HD>::template load<G::kKeys, G::kThreads>(stage(block) + G::kTileBytes, v + key * stride, stride, length - key);
        cp_async_commit();
    }
    /// The block is there for all threads; the next one is on its way into the stage of the one before.
    __device__ uint32_t take(int block) const {
        cp_async_wait<0>();
        __syncthreads();
        fetch(block + 1);
        return stage(block);
    }
};

template <int HD, bool CAPPED> __global__ void __launch_bounds__(QueryGradients<HD>::kThreads)
    query_gradients_kernel(BackwardPointers to, Layout layout) {
    using G = QueryGradients<HD>;
    constexpr int kTiles = G::kKeys / kMmaN;
    extern __shared__ uint4 memory[];
    const Sample sample(layout.offsets, blockIdx.z);
    const int first_query = static_cast<int>(gridDim.x - 1 - blockIdx.x) * G::kQueries;  // those with most keys begin first
    if (first_query >= sample.length) return;
    const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
    const int head = static_cast<int>(blockIdx.y), kv_head = head / (layout.heads / layout.kv_heads);
    const int64_t stride = layout.heads * HD, kv_stride = layout.kv_heads * HD;
    const int64_t query_at = (sample.first + first_query) * stride + head * HD, key_at = sample.first * kv_stride + kv_head * HD;
    const KeyBlocks<HD> blocks{to.k + key_at,
                               to.v + key_at,
                               kv_stride,
                               shared_address(memory),
                               layout.first_key(first_query) / G::kKeys,
                               (min(sample.length, first_query + G::kQueries) - 1) / G::kKeys,
                               sample.length};

    const uint32_t query_tile = blocks.memory + (G::kKeepQueries ? 0 : G::kRing);
    Tile<HD>::template load<G::kQueries, G::kThreads>(query_tile, to.q + query_at, stride, sample.length - first_query);
    Tile<HD>::template load<G::kQueries, G::kThreads>(query_tile + G::kQueryBytes, to.dout + query_at, stride, sample.length - first_query);
    cp_async_commit();
    if constexpr (G::kKeepQueries) {  // else the first block's wait is theirs too
        cp_async_wait<0>();
        __syncthreads();
    }
    const RowsInTile<HD> rows{query_tile + Tile<HD>::bytes(kMmaM * warp), rows_first<HD>(lane)};
    const auto queries = keep_rows<typename G::Queries>(rows);
    const auto gradients = keep_rows<typename G::Queries>(RowsInTile<HD>{rows.tile + G::kQueryBytes, rows.lane});
    if (G::kKeepQueries) __syncthreads();  // the ring is free
    blocks.fetch(blocks.first);

    const int warp_query = first_query + kMmaM * warp, valid = sample.length - warp_query;
    float log_sum[2] = {0, 0}, delta[2] = {0, 0};  // of rows lane/4 and lane/4 + kMmaM/2
#pragma unroll
    for (int half = 0; half < 2; ++half) {
        const int row = lane / 4 + kMmaM / 2 * half;
        if (row >= valid) continue;
        const int64_t at = to.statistics.at(layout, head, sample.first + warp_query + row);
        log_sum[half] = to.statistics.log_sum[at];
        delta[half] = to.statistics.delta[at];
    }

    const float scale = exponent_scale<CAPPED>(layout);
    Accumulator dq[HD / kMmaN] = {};
    for (int block = blocks.first; block <= blocks.last; ++block) {
        const int key = block * G::kKeys;
        const uint32_t keys = blocks.take(block), values = keys + G::kTileBytes;
        if (!any_visible<G::kKeys>(layout, warp_query, key, sample.length)) continue;
        Accumulator scores[kTiles], ds[kTiles];
        multiply_rows<HD>(scores, queries, keys, columns_first<HD>(lane));
        cap_scores<CAPPED>(scores, layout);
        if (!all_visible<G::kKeys>(layout, warp_query, key)) hide_keys(scores, layout, warp_query, key, -INFINITY);
        multiply_rows<HD>(ds, gradients, values, columns_first<HD>(lane));
#pragma unroll
        for (int n = 0; n < kTiles; ++n)
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                ds[n][i] = fast_exp2(fmaf(scores[n][i], scale, -log_sum[i / 2])) * (ds[n][i] - delta[i / 2]);
                if constexpr (CAPPED) ds[n][i] *= slope_of_cap<CAPPED>(scores[n][i]);
            }
        Operand rounded[kTiles / 2];
        round_to_operand<kTiles / 2>(ds, rounded);
        multiply_columns<HD, kTiles / 2>(dq, rounded, keys, rows_first<HD>(lane));
    }
    store_rows(dq, layout.scale, layout.scale, to.dq + query_at + kMmaM * warp * stride, stride, valid);
}

}  // namespace

void launch_query_gradients(const Call& call, const BackwardPointers& pointers) {
    dispatch_kernel(call.shape, [&](auto size, auto capped) {
        using G = QueryGradients<size.value>;
        const dim3 grid(static_cast<unsigned>(ceil_div(call.longest, G::kQueries)), static_cast<unsigned>(call.shape.heads),
                        static_cast<unsigned>(call.samples));
        launch(call.op, call.stream, query_gradients_kernel<size.value, capped.value>, grid, G::kThreads, G::kShared, pointers,
               Layout(call));
    });
}

}  // namespace vaccine::ops::attention
