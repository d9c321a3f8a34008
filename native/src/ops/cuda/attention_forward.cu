// attention_forward on tensor cores (FlashAttention-2, arXiv 2307.08691): a block computes 64 queries of one head, a warp 16 of them, and
// walks over the keys that any of them sees. The softmax's sum and largest score are kept up to date on the way.
#include "ops/cuda/attention_tensor.cuh"

namespace vaccine::ops::attention {
namespace {

template <int HD> struct Forward {
    static constexpr int kQueries = 64, kThreads = kQueries / kMmaM * kWarp;
    static constexpr bool kKeepQueries = HD <= 128;  // in registers; of wider heads they stay in shared memory
    static constexpr int kKeys = kKeepQueries ? 64 : 32;
    static constexpr int kSlots = 3;  // tiles of keys and of values, in turn: one in use, two on their way
    static constexpr int kTileBytes = Tile<HD>::bytes(kKeys);
    static constexpr int kShared = kSlots * kTileBytes + (kKeepQueries ? 0 : Tile<HD>::bytes(kQueries));
    using Queries = std::conditional_t<kKeepQueries, RowsInRegisters<HD>, RowsInTile<HD>>;
};

struct ForwardPointers {
    const bf16 *q, *k, *v;
    bf16* out;
    float* lse;
};

/// The running softmax of a lane's two rows, row(0) and row(1) = row(0) + 8. Scores are kept unscaled (capped ones as a tanh): a
/// probability is 2^(score * scale - largest * scale), one multiply-add and one exp2.
struct Softmax {
    float largest[2] = {-INFINITY, -INFINITY};
    float sum[2] = {0, 0};  // of this lane's columns only, until finish
    float scale;            // see exponent_scale

    /// Scores become probabilities relative to the largest so far; correction is what earlier ones are to be multiplied by.
    template <int TILES> __device__ void update(Accumulator (&scores)[TILES], float (&correction)[2]) {
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            float most = largest[half];
#pragma unroll
            for (int n = 0; n < TILES; ++n) most = fmaxf(most, fmaxf(scores[n][2 * half], scores[n][2 * half + 1]));
            most = quad_max(most);
            const float base = most == -INFINITY ? 0.0f : most * scale;  // nothing seen yet: all become 2^-infinity
            correction[half] = fast_exp2(fmaf(largest[half], scale, -base));
            largest[half] = most;
            float added = 0;
#pragma unroll
            for (int n = 0; n < TILES; ++n)
#pragma unroll
                for (int i = 2 * half; i < 2 * half + 2; ++i) {
                    scores[n][i] = fast_exp2(fmaf(scores[n][i], scale, -base));
                    added += scores[n][i];
                }
            sum[half] = fmaf(sum[half], correction[half], added);
        }
    }
    __device__ float log_sum(int half) const {
        return (largest[half] * scale + log2f(sum[half])) * kLn2;
    }
};

template <int TILES> __device__ void scale_rows(Accumulator (&sum)[TILES], const float (&factor)[2]) {
#pragma unroll
    for (int n = 0; n < TILES; ++n)
#pragma unroll
        for (int i = 0; i < 4; ++i) sum[n][i] *= factor[i / 2];
}

/// The tiles of keys and values in the order of their use: n = 0 keys, 1 values of the first block, 2 keys of the second...
template <int HD> struct KeyTiles {
    using F = Forward<HD>;
    const bf16 *k, *v;  // the sample's first row of the kv head
    int64_t stride;
    uint32_t memory;
    int first_block, count, length;

    __device__ uint32_t slot(int n) const { return memory + static_cast<uint32_t>(n % F::kSlots * F::kTileBytes); }
    __device__ void fetch(int n) const {
        if (n < count) {
            const int key = (first_block + n / 2) * F::kKeys;
            Tile<HD>::template load<F::kKeys, F::kThreads>(slot(n), (n % 2 == 0 ? k : v) + key * stride, stride, length - key);
        }
        cp_async_commit();  // also where there is nothing to fetch: waits count groups
    }
    /// Tile n is there for all threads, and its predecessor's slot is free for n + 2.
    __device__ uint32_t take(int n) const {
        cp_async_wait<1>();
        __syncthreads();
        fetch(n + 2);
        return slot(n);
    }
};

/// The probabilities of KEYS keys from `key` on, which lie in `tile`; what `out` holds is brought to the same base.
template <int HD, bool CAPPED, int KEYS, class Queries> __device__ void score(const Queries& queries, uint32_t tile, const Layout& layout,
                                                                              int query, int key, Softmax& softmax,
                                                                              Accumulator (&out)[HD / kMmaN], Operand* probabilities) {
    Accumulator scores[KEYS / kMmaN];
    multiply_rows<HD>(scores, queries, tile, columns_first<HD>(static_cast<int>(threadIdx.x) % kWarp));
    cap_scores<CAPPED>(scores, layout);
    if (!all_visible<KEYS>(layout, query, key)) hide_keys(scores, layout, query, key, -INFINITY);
    float correction[2];
    softmax.update(scores, correction);
    scale_rows(out, correction);
    round_to_operand<KEYS / kMmaK>(scores, probabilities);
}

template <int HD, bool CAPPED> __global__ void __launch_bounds__(Forward<HD>::kThreads) forward_kernel(ForwardPointers to, Layout layout) {
    using F = Forward<HD>;
    extern __shared__ uint4 memory[];
    const Sample sample(layout.offsets, blockIdx.z);
    const int first_query = static_cast<int>(gridDim.x - 1 - blockIdx.x) * F::kQueries;  // those with most keys begin first
    if (first_query >= sample.length) return;
    const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
    const int head = static_cast<int>(blockIdx.y), kv_head = head / (layout.heads / layout.kv_heads);
    const int64_t stride = layout.heads * HD, kv_stride = layout.kv_heads * HD;
    const int64_t query_at = (sample.first + first_query) * stride + head * HD, key_at = sample.first * kv_stride + kv_head * HD;
    const int first_block = layout.first_key(first_query) / F::kKeys;
    const int last_key = min(sample.length, first_query + F::kQueries) - 1;
    const KeyTiles<HD> tiles{to.k + key_at,          to.v + key_at, kv_stride,
                             shared_address(memory), first_block,   2 * (last_key / F::kKeys - first_block + 1),
                             sample.length};

    // Queries that go on to registers come in through the slot of tile 2, which is fetched last.
    const uint32_t query_tile = F::kKeepQueries ? tiles.slot(2) : tiles.memory + F::kSlots * F::kTileBytes;
    Tile<HD>::template load<F::kQueries, F::kThreads>(query_tile, to.q + query_at, stride, sample.length - first_query);
    cp_async_commit();
    tiles.fetch(0);
    tiles.fetch(1);
    const RowsInTile<HD> rows{query_tile + Tile<HD>::bytes(kMmaM * warp), rows_first<HD>(lane)};
    if constexpr (F::kKeepQueries) {  // else the first tile's wait is theirs too
        cp_async_wait<2>();
        __syncthreads();
    }
    typename F::Queries queries = keep_rows<typename F::Queries>(rows);

    Accumulator out[HD / kMmaN] = {};
    Softmax softmax;
    softmax.scale = exponent_scale<CAPPED>(layout);
    const int warp_query = first_query + kMmaM * warp;
    for (int n = 0; n < tiles.count; n += 2) {
        const int key = (first_block + n / 2) * F::kKeys;
        const bool visible = any_visible<F::kKeys>(layout, warp_query, key, sample.length);
        const bool half = key + F::kKeys / 2 > warp_query + 15;  // the rest lies behind all queries of the warp
        Operand probabilities[F::kKeys / kMmaK];
        const uint32_t key_tile = tiles.take(n);
        if (visible && half)
            score<HD, CAPPED, F::kKeys / 2>(queries, key_tile, layout, warp_query, key, softmax, out, probabilities);
        else if (visible)
            score<HD, CAPPED, F::kKeys>(queries, key_tile, layout, warp_query, key, softmax, out, probabilities);
        const uint32_t value_tile = tiles.take(n + 1);
        if (visible && half)
            multiply_columns<HD, F::kKeys / 32>(out, probabilities, value_tile, rows_first<HD>(lane));
        else if (visible)
            multiply_columns<HD, F::kKeys / kMmaK>(out, probabilities, value_tile, rows_first<HD>(lane));
    }
    cp_async_wait<0>();

    const int valid = sample.length - warp_query;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
        softmax.sum[half] = quad_sum(softmax.sum[half]);
        const int row = lane / 4 + kMmaM / 2 * half;
        if (lane % 4 == 0 && row < valid) to.lse[(sample.first + warp_query + row) * layout.heads + head] = softmax.log_sum(half);
    }
    store_rows(out, 1 / softmax.sum[0], 1 / softmax.sum[1], to.out + query_at + kMmaM * warp * stride, stride, valid);
}

}  // namespace

void forward_tensor(const Call& call) {
    dispatch_kernel(call.shape, [&](auto size, auto capped) {
        using F = Forward<size.value>;
        const dim3 grid(static_cast<unsigned>(ceil_div(call.longest, F::kQueries)), static_cast<unsigned>(call.shape.heads),
                        static_cast<unsigned>(call.samples));
        const ForwardPointers pointers{call.q.as<bf16>(), call.k.as<bf16>(), call.v.as<bf16>(), call.out.as<bf16>(), call.lse.as<float>()};
        launch(call.op, call.stream, forward_kernel<size.value, capped.value>, grid, F::kThreads, F::kShared, pointers, Layout(call));
    });
}

}  // namespace vaccine::ops::attention
