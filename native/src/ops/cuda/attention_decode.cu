// attention_decode: bound by reading the cache once. A block has one kv head of one sample and all query heads that read it; its warps take
// positions 32 at a time in turn, each with a running softmax of its own, and what they found is joined in the order of the warps.
#include "ops/checks.h"
#include "ops/cuda/soft_cap.cuh"
#include "ops/ops.h"

namespace vaccine::ops {
namespace {

constexpr int kThreads = 256, kWarps = kThreads / kWarp;
constexpr int kRun = kWarp;               // positions that a warp takes at a time
constexpr int kItems = 8;                 // columns of a lane, in packs of N
constexpr int kColumns = kItems * kWarp;  // of a block; wider heads take more blocks, which compute the scores again

template <class T> struct Pointers {
    const T *q, *k, *v;
    const int32_t* lengths;
    T* out;
};
struct Layout {
    int64_t capacity, heads, kv_heads, window;
    int head_size, row_lanes;  // lanes that share a row of the cache: a power of two
    float scale;
    SoftCap cap;
};

/// Where a head's queries lie: in pieces of up to 16 bytes, the same piece of all packs side by side, so that lanes that read neighbouring
/// packs of N read neighbouring pieces.
template <int N> struct QueryPlace {
    static constexpr int kPiece = N < 4 ? N : 4, kPieces = N / kPiece;
    int packs;

    __device__ explicit QueryPlace(int head_size) : packs(head_size / N) {}
    __device__ int piece(int head, int pack, int number) const { return ((head * kPieces + number) * packs + pack) * kPiece; }
    __device__ int column(int head, int at) const { return piece(head, at / N, at % N / kPiece) + at % kPiece; }
};

/// Shared memory: the queries (HEADS, HD), scaled; scores of each warp (HEADS, 32); for the end, a head's share of every warp.
template <int HEADS> struct Shared {
    static int64_t bytes(int64_t head_size) {
        return (HEADS * (head_size + kWarps * kRun) + kWarps * (kWarpColumns + 2)) * static_cast<int64_t>(sizeof(float));
    }
    static constexpr int kWarpColumns = kColumns + kColumns / 4;
    /// Where a column lies in a warp's share: a gap after each pack, so that lanes that write packs meet different banks.
    template <int N> __device__ static int place(int column) { return N < 4 ? column : column + column / N; }
    float *queries, *scores, *sums, *largest, *columns;

    __device__ Shared(float* memory, int head_size)
        : queries(memory),
          scores(memory + HEADS * (head_size + static_cast<int>(threadIdx.x) / kWarp * kRun)),
          sums(memory + HEADS * (head_size + kWarps * kRun)),
          largest(sums + kWarps),
          columns(largest + kWarps) {}
};

/// What a warp has found of HEADS heads. A lane's columns are packs of N: pack lane % row_lanes, and every row_lanes-th after it; the
/// groups of row_lanes lanes have different positions.
template <int HEADS> struct Found {
    float largest[HEADS], sum[HEADS], item[HEADS][kItems];

    __device__ Found() {
#pragma unroll
        for (int h = 0; h < HEADS; ++h) {
            largest[h] = -INFINITY;
            sum[h] = 0;
#pragma unroll
            for (int i = 0; i < kItems; ++i) item[h][i] = 0;
        }
    }
};

/// scores[h][j] = q[h] . k[j] of `count` positions, by row_lanes lanes each.
template <class T, int N, int HEADS>
__device__ void compute_scores(const T* keys, int64_t stride, int count, const Layout& layout, const Shared<HEADS>& shared) {
    const int lane = static_cast<int>(threadIdx.x) % kWarp, rows = kWarp / layout.row_lanes, HD = layout.head_size;
    using Place = QueryPlace<N>;
    const Place place(HD);
#pragma unroll 4
    for (int j = lane / layout.row_lanes; j < kRun; j += rows) {
        float score[HEADS] = {};
        for (int column = lane % layout.row_lanes * N; column < HD && j < count; column += layout.row_lanes * N) {
            const Pack<T, N> key = load<N>(keys + j * stride + column);
#pragma unroll
            for (int h = 0; h < HEADS; ++h)
#pragma unroll
                for (int piece = 0; piece < Place::kPieces; ++piece) {
                    const auto query = load<Place::kPiece>(shared.queries + place.piece(h, column / N, piece));
#pragma unroll
                    for (int i = 0; i < Place::kPiece; ++i) score[h] = fmaf(query[i], key[piece * Place::kPiece + i], score[h]);
                }
        }
#pragma unroll
        for (int h = 0; h < HEADS; ++h) {
            for (int step = layout.row_lanes / 2; step > 0; step /= 2) score[h] += __shfl_xor_sync(~0u, score[h], step);
            if (lane % layout.row_lanes == 0) shared.scores[h * kRun + j] = j < count ? layout.cap(score[h]) : -INFINITY;
        }
    }
    __syncwarp();
}

/// Scores become probabilities, and what was found before is brought to the same base.
template <int HEADS> __device__ void update_softmax(Found<HEADS>& found, const Shared<HEADS>& shared) {
    const int lane = static_cast<int>(threadIdx.x) % kWarp;
#pragma unroll
    for (int h = 0; h < HEADS; ++h) {
        float& score = shared.scores[h * kRun + lane];
        const float most = fmaxf(found.largest[h], warp_max(score)), correction = expf(found.largest[h] - most);
        score = expf(score - most);
        found.largest[h] = most;
        found.sum[h] = found.sum[h] * correction + warp_sum(score);
#pragma unroll
        for (int i = 0; i < kItems; ++i) found.item[h][i] *= correction;
    }
    __syncwarp();
}

template <class T, int N, int HEADS> __device__ void add_values(const T* values, int64_t stride, int count, const Layout& layout,
                                                                const Shared<HEADS>& shared, Found<HEADS>& found) {
    const int lane = static_cast<int>(threadIdx.x) % kWarp, rows = kWarp / layout.row_lanes;
    const int first = static_cast<int>(blockIdx.z) * kColumns + lane % layout.row_lanes * N;
#pragma unroll 4
    for (int j = lane / layout.row_lanes; j < count; j += rows)
#pragma unroll
        for (int pack = 0; pack < kItems / N; ++pack) {
            const int column = first + pack * layout.row_lanes * N;
            if (column >= layout.head_size) continue;
            const Pack<T, N> value = load<N>(values + j * stride + column);
#pragma unroll
            for (int h = 0; h < HEADS; ++h)
#pragma unroll
                for (int i = 0; i < N; ++i)
                    found.item[h][pack * N + i] = fmaf(shared.scores[h * kRun + j], value[i], found.item[h][pack * N + i]);
        }
    __syncwarp();  // the scores may be written again
}

/// Sums head h over the groups of lanes and the warps, and writes the block's columns of it.
template <class T, int N, int HEADS>
__device__ void join(Found<HEADS>& found, int h, const Layout& layout, const Shared<HEADS>& shared, T* out) {
    const int thread = static_cast<int>(threadIdx.x), warp = thread / kWarp, lane = thread % kWarp;
#pragma unroll
    for (int i = 0; i < kItems; ++i) {
        for (int step = layout.row_lanes; step < kWarp; step *= 2) found.item[h][i] += __shfl_xor_sync(~0u, found.item[h][i], step);
        const int column = i / N * layout.row_lanes * N + lane % layout.row_lanes * N + i % N;
        if (lane < layout.row_lanes) shared.columns[warp * shared.kWarpColumns + shared.template place<N>(column)] = found.item[h][i];
    }
    if (lane == 0) {
        shared.sums[warp] = found.sum[h];
        shared.largest[warp] = found.largest[h];
    }
    __syncthreads();
    float largest = -INFINITY, sum = 0, value = 0;
    for (int w = 0; w < kWarps; ++w) largest = fmaxf(largest, shared.largest[w]);
    const int column = static_cast<int>(blockIdx.z) * kColumns + thread;
    for (int w = 0; w < kWarps; ++w) {
        const float share = expf(shared.largest[w] - largest);  // 0 of a warp without positions
        sum = fmaf(share, shared.sums[w], sum);
        if (column < layout.head_size)
            value = fmaf(share, shared.columns[w * shared.kWarpColumns + shared.template place<N>(thread)], value);
    }
    if (column < layout.head_size) out[column] = from_float<T>(value / sum);
    __syncthreads();  // the next head uses the same memory
}

/// Blocks that an SM is to hold at once: what bounds a thread's registers.
constexpr int blocks_per_sm(int heads) {
    return heads == 1 ? 3 : heads == 4 ? 2 : 1;
}

template <class T, int N, int HEADS> __global__ void __launch_bounds__(kThreads, blocks_per_sm(HEADS))
    decode_kernel(Pointers<T> to, Layout layout) {
    static_assert(kColumns == kThreads, "a thread writes a column");
    extern __shared__ uint4 memory[];
    const QueryPlace<N> place(layout.head_size);
    const Shared<HEADS> shared(reinterpret_cast<float*>(memory), layout.head_size);
    const int64_t kv_head = blockIdx.x, sample = blockIdx.y, HD = layout.head_size, group = layout.heads / layout.kv_heads;
    const int64_t stride = layout.kv_heads * HD, query_at = (sample * layout.heads + kv_head * group) * HD;
    const int length = to.lengths[sample], warp = static_cast<int>(threadIdx.x) / kWarp;
    const int begin = layout.window > 0 && length > layout.window ? length - static_cast<int>(layout.window) : 0;
    const int64_t cache_at = sample * layout.capacity * stride + kv_head * HD;

    for (int64_t head = 0; head < group; head += HEADS) {
        const int64_t real = min(static_cast<int64_t>(HEADS), group - head) * HD;
        for (int i = static_cast<int>(threadIdx.x); i < HEADS * layout.head_size; i += kThreads)
            shared.queries[place.column(i / layout.head_size, i % layout.head_size)] =
                i < real ? to_float(to.q[query_at + head * HD + i]) * layout.scale : 0.0f;
        __syncthreads();
        Found<HEADS> found;
        for (int first = begin + warp * kRun; first < length; first += kThreads) {
            const int count = min(kRun, length - first);
            const int64_t at = cache_at + first * stride;
            compute_scores<T, N>(to.k + at, stride, count, layout, shared);
            update_softmax(found, shared);
            add_values<T, N>(to.v + at, stride, count, layout, shared, found);
        }
#pragma unroll
        for (int h = 0; h < HEADS; ++h)
            if (head + h < group) join<T, N>(found, h, layout, shared, to.out + query_at + (head + h) * HD);
    }
}

int row_lanes(int64_t head_size) {
    int lanes = 1;
    while (lanes < kWarp && lanes * kItems < head_size) lanes *= 2;
    return lanes;
}

template <class T, int N, int HEADS>
void run(const char* op, const Stream& stream, dim3 grid, const Pointers<T>& pointers, const Layout& layout) {
    launch(op, stream, decode_kernel<T, N, HEADS>, grid, kThreads, Shared<HEADS>::bytes(layout.head_size), pointers, layout);
}

}  // namespace

void attention_decode(Stream& stream, View q, View k_cache, View v_cache, View lengths, int64_t capacity, const AttentionShape& shape,
                      View out) {
    const int64_t B = q.rows, HD = shape.head_size;
    const Check check("attention_decode");
    check_attention_shape(check, shape);
    check.activation("q", q);
    check.matrix("q", q, q.dtype, B, shape.heads * HD);
    check.matrix("k_cache", k_cache, q.dtype, B * capacity, shape.kv_heads * HD);
    check.matrix("v_cache", v_cache, q.dtype, B * capacity, shape.kv_heads * HD);
    check.vector("lengths", lengths, DType::I32, B);
    check.matrix("out", out, q.dtype, B, shape.heads * HD);
    if (B == 0) return;

    const dim3 grid(static_cast<unsigned>(shape.kv_heads), static_cast<unsigned>(B), static_cast<unsigned>(ceil_div(HD, kColumns)));
    const int64_t group = shape.heads / shape.kv_heads;
    dispatch(q.dtype, [&](auto type) {
        using T = decltype(type);
        constexpr int N = static_cast<int>(kPackBytes / sizeof(T));
        const Pointers<T> pointers{q.as<T>(), k_cache.as<T>(), v_cache.as<T>(), lengths.as<int32_t>(), out.as<T>()};
        const Layout layout{capacity,      shape.heads, shape.kv_heads,    shape.window, static_cast<int>(HD),
                            row_lanes(HD), shape.scale, SoftCap(shape.cap)};
        if (HD % N != 0 || !aligned_for(N, k_cache, v_cache)) {
            run<T, 1, 1>("attention_decode", stream, grid, pointers, layout);
        } else if (group == 1) {
            run<T, N, 1>("attention_decode", stream, grid, pointers, layout);
        } else if (group <= 4) {
            run<T, N, 4>("attention_decode", stream, grid, pointers, layout);
        } else {
            run<T, N, 8>("attention_decode", stream, grid, pointers, layout);
        }
    });
}

}  // namespace vaccine::ops
