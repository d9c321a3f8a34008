// dk and dv: a block has 64 keys of one kv head and walks over the queries that see any of them, in all heads of its group. Scores are
// computed transposed, keys by queries, so that they are the left operands of both sums as they are:
//     P^T = exp(scale k q^T - lse),  dv = P^T dout,  dS^T = P^T (v dout^T - delta),  dk = scale dS^T q
// Of capped scores dS is also times the slope of the cap.
#include "ops/cuda/attention_backward.cuh"

namespace vaccine::ops::attention {
namespace {

template <int HD> struct KeyGradients {
    // Two accumulators of 16 x 256 do not fit a lane's registers: of wide heads two warps share 16 keys, and each sums half of the columns.
    static constexpr int kSplit = HD <= 128 ? 1 : 2, kColumns = HD / kSplit;
    static constexpr int kKeys = 64, kThreads = kKeys / kMmaM * kSplit * kWarp;
    static constexpr int kQueries = HD <= 96 ? 32 : 16;  // so that two blocks fit the 100 KB of an sm_86 (of HD 256: one)
    static constexpr int kStages = 2;                    // queries in use, and those on their way
    static constexpr int kKeyBytes = Tile<HD>::bytes(kKeys), kQueryBytes = Tile<HD>::bytes(kQueries);
    // A stage: q, dout, and the statistics of each query.
    static constexpr int kLogSums = 2 * kQueryBytes, kDeltas = kLogSums + kQueries * 4, kStageBytes = kDeltas + kQueries * 4;
    static constexpr int kShared = 2 * kKeyBytes + kStages * kStageBytes;
};

/// Blocks of queries, head by head, each in one of two stages: step n is block n % blocks of head n / blocks.
template <int HD> struct QueryBlocks {
    using G = KeyGradients<HD>;
    const BackwardPointers& from;
    const Layout& layout;
    Sample sample;
    uint32_t memory;
    int first_head, first_query, blocks, steps;

    __device__ int query(int step) const { return first_query + step % blocks * G::kQueries; }
    __device__ int stage_at(int step) const { return step % G::kStages * G::kStageBytes; }
    __device__ void fetch(int step) const {
        if (step >= steps) return;
        const int head = first_head + step / blocks, first = query(step), valid = sample.length - first;
        const int64_t row = sample.first + first, stride = layout.heads * HD, at = row * stride + head * HD;
        const uint32_t stage = memory + static_cast<uint32_t>(stage_at(step));
        Tile<HD>::template load<G::kQueries, G::kThreads>(stage, from.q + at, stride, valid);
        Tile<HD>::template load<G::kQueries, G::kThreads>(stage + G::kQueryBytes, from.dout + at, stride, valid);
        const int thread = static_cast<int>(threadIdx.x), n = thread % G::kQueries;
        if (thread < 2 * G::kQueries) {
            const float* statistic = thread < G::kQueries ? from.statistics.log_sum : from.statistics.delta;
            const bool real = n < valid;
            cp_async_4_zfill(stage + static_cast<uint32_t>(G::kLogSums + 4 * thread),
                             statistic + from.statistics.at(layout, head, row) + (real ? n : 0), real);
        }
        cp_async_commit();
    }
    /// The step's stage is there for all threads; the next one is on its way into the other.
    __device__ int take(int step) const {
        cp_async_wait<0>();
        __syncthreads();
        fetch(step + 1);
        return stage_at(step);
    }
};

/// Whether any or all of the kMmaM keys from `key` on are seen by the QUERIES queries from `query` on.
template <int QUERIES> __device__ bool any_seen(const Layout& layout, int query, int key) {
    return query + QUERIES > key && query - (key + 15) < layout.window;
}
template <int QUERIES> __device__ bool all_seen(const Layout& layout, int query, int key) {
    return layout.sees(query, key + 15) && layout.sees(query + QUERIES - 1, key);
}

/// P^T and dS^T of kMmaM keys (rows) and kMmaN*TILES queries (columns), from the scores and from v dout^T.
template <bool CAPPED, int TILES> __device__ void probabilities_and_gradients(Accumulator (&p)[TILES], Accumulator (&ds)[TILES],
                                                                              float scale, const float* log_sums, const float* deltas) {
    const int column = static_cast<int>(threadIdx.x) % 4 * 2;
#pragma unroll
    for (int n = 0; n < TILES; ++n) {
        const float2 log_sum = *reinterpret_cast<const float2*>(log_sums + kMmaN * n + column);
        const float2 delta = *reinterpret_cast<const float2*>(deltas + kMmaN * n + column);
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            const float slope = slope_of_cap<CAPPED>(p[n][i]);
            p[n][i] = fast_exp2(fmaf(p[n][i], scale, i % 2 == 0 ? -log_sum.x : -log_sum.y));
            ds[n][i] = p[n][i] * (ds[n][i] - (i % 2 == 0 ? delta.x : delta.y));
            if constexpr (CAPPED) ds[n][i] *= slope;
        }
    }
}

template <int TILES> __device__ void hide_from_queries(Accumulator (&scores)[TILES], const Layout& layout, int query, int key) {
    const int lane = static_cast<int>(threadIdx.x) % kWarp;
#pragma unroll
    for (int n = 0; n < TILES; ++n)
#pragma unroll
        for (int i = 0; i < 4; ++i)
            if (!layout.sees(query + kMmaN * n + lane % 4 * 2 + i % 2, key + lane / 4 + i / 2 * (kMmaM / 2))) scores[n][i] = -INFINITY;
}

template <int HD, bool CAPPED> __global__ void __launch_bounds__(KeyGradients<HD>::kThreads)
    key_gradients_kernel(BackwardPointers to, Layout layout) {
    using G = KeyGradients<HD>;
    constexpr int kTiles = G::kQueries / kMmaN;
    extern __shared__ uint4 memory[];
    const Sample sample(layout.offsets, blockIdx.z);
    const int first_key = static_cast<int>(blockIdx.x) * G::kKeys;
    if (first_key >= sample.length) return;
    const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
    const int kv_head = static_cast<int>(blockIdx.y), group = layout.heads / layout.kv_heads;
    const int64_t stride = layout.kv_heads * HD, key_at = (sample.first + first_key) * stride + kv_head * HD;
    const uint32_t keys = shared_address(memory), values = keys + G::kKeyBytes, stages = values + G::kKeyBytes;
    const int last_query = layout.end_of_queries(first_key + G::kKeys - 1, sample.length) - 1;
    const int blocks = (last_query - first_key) / G::kQueries + 1;
    const QueryBlocks<HD> queries{to, layout, sample, stages, kv_head * group, first_key, blocks, group * blocks};

    Tile<HD>::template load<G::kKeys, G::kThreads>(keys, to.k + key_at, stride, sample.length - first_key);
    Tile<HD>::template load<G::kKeys, G::kThreads>(values, to.v + key_at, stride, sample.length - first_key);
    queries.fetch(0);  // the same group of copies

    const int warp_row = warp / G::kSplit * kMmaM, warp_key = first_key + warp_row, first_chunk = warp % G::kSplit * (G::kColumns / kChunk);
    const LaneAddress<HD> by_rows = rows_first<HD>(lane), by_columns = columns_first<HD>(lane);
    const RowsInTile<HD> key_rows{keys + Tile<HD>::bytes(warp_row), by_rows}, value_rows{values + Tile<HD>::bytes(warp_row), by_rows};
    Accumulator dk[G::kColumns / kMmaN] = {}, dv[G::kColumns / kMmaN] = {};
    for (int step = 0; step < queries.steps; ++step) {
        const int stage_at = queries.take(step), query = queries.query(step);
        if (!any_seen<G::kQueries>(layout, query, warp_key)) continue;
        const uint32_t query_tile = stages + static_cast<uint32_t>(stage_at), gradient_tile = query_tile + G::kQueryBytes;
        const char* const stage = reinterpret_cast<const char*>(memory) + 2 * G::kKeyBytes + stage_at;
        Accumulator p[kTiles], ds[kTiles];
        multiply_rows<HD>(p, key_rows, query_tile, by_columns);
        cap_scores<CAPPED>(p, layout);
        if (!all_seen<G::kQueries>(layout, query, warp_key)) hide_from_queries(p, layout, query, warp_key);
        multiply_rows<HD>(ds, value_rows, gradient_tile, by_columns);
        probabilities_and_gradients<CAPPED>(p, ds, exponent_scale<CAPPED>(layout), reinterpret_cast<const float*>(stage + G::kLogSums),
                                            reinterpret_cast<const float*>(stage + G::kDeltas));
        Operand rounded[kTiles / 2];
        round_to_operand<kTiles / 2>(p, rounded);
        multiply_columns<HD, kTiles / 2>(dv, rounded, gradient_tile, by_rows, first_chunk);
        round_to_operand<kTiles / 2>(ds, rounded);
        multiply_columns<HD, kTiles / 2>(dk, rounded, query_tile, by_rows, first_chunk);
    }
    const int64_t at = key_at + warp_row * stride + first_chunk * kChunk;
    store_rows(dk, layout.scale, layout.scale, to.dk + at, stride, sample.length - warp_key);
    store_rows(dv, 1, 1, to.dv + at, stride, sample.length - warp_key);
}

}  // namespace

void launch_key_gradients(const Call& call, const BackwardPointers& pointers) {
    dispatch_kernel(call.shape, [&](auto size, auto capped) {
        using G = KeyGradients<size.value>;
        const dim3 grid(static_cast<unsigned>(ceil_div(call.longest, G::kKeys)), static_cast<unsigned>(call.shape.kv_heads),
                        static_cast<unsigned>(call.samples));
        launch(call.op, call.stream, key_gradients_kernel<size.value, capped.value>, grid, G::kThreads, G::kShared, pointers, Layout(call));
    });
}

}  // namespace vaccine::ops::attention
