// c += left^T mask(x). A block has 32 columns of x and up to 32 of left; its warps share the rows, 16 at a time in turn. Lanes of one q
// read one row of x, 4 neighbours each: lane g's are column g of the 4 mma tiles, so a tile's columns lie 4 apart.
#include "ops/cuda/low_rank.cuh"
#include "ops/cuda/low_rank.h"

namespace vaccine::ops {
namespace {

constexpr int kColumns = 32, kDepth = 16, kTiles = kColumns / 8, kWarps = 8, kThreads = kWarps * kWarp;

struct Outer {
    int64_t T, N, rank;
    const float* left;
    const bf16* x;
    DropoutMask mask;
    float alpha;
    float* c;
};

/// The fragment of left^T for ranks `first` .. +15 and rows t .. +15, in two terms.
struct Left {
    uint32_t rounded[4], rest[4];
};
__device__ void load_left(const Outer& o, int64_t first, int64_t t, Left& to) {
    const int lane = static_cast<int>(threadIdx.x) % kWarp, g = lane / 4, q = lane % 4;
#pragma unroll
    for (int part = 0; part < 4; ++part) {
        const int64_t r = first + g + part % 2 * 8, row = t + part / 2 * 8 + q * 2;
        const float low = r < o.rank && row < o.T ? o.left[row * o.rank + r] : 0.0f;
        const float high = r < o.rank && row + 1 < o.T ? o.left[(row + 1) * o.rank + r] : 0.0f;
        const SplitPair split = split_bf16(low, high);
        to.rounded[part] = split.rounded;
        to.rest[part] = split.rest;
    }
}

/// A lane's share of 16 rows of x: rows t + 2 q, + 1, + 8, + 9.
struct Columns {
    Four row[4];

    __device__ static int64_t row_of(int64_t t, int i) { return t + i / 2 * 8 + threadIdx.x % 4 * 2 + i % 2; }
    __device__ void load(const Outer& o, int64_t t, int64_t column) {
#pragma unroll
        for (int i = 0; i < 4; ++i) row[i] = Four::load(o.x + row_of(t, i) * o.N + column, row_of(t, i) < o.T && column < o.N);
    }
    __device__ void drop(const DropoutMask& mask, int64_t t, int64_t column) {
        if (!mask.active()) return;
#pragma unroll
        for (int i = 0; i < 4; ++i) row[i].drop(mask, mask.element(row_of(t, i), column));
    }
    /// Column j of two rows in one register.
    __device__ uint32_t pair(int first_row, int j) const {
        return __byte_perm(row[first_row].word[j / 2], row[first_row + 1].word[j / 2], j % 2 == 0 ? 0x5410 : 0x7632);
    }
};

/// Adds the warps' sums, in the warps' order, and then to c. In shared memory rows begin 4 banks apart, so that neither the lanes' stores
/// of four columns nor reads of 8 rows and 4 columns meet in a bank.
template <bool TRANSPOSED>
__device__ void add_warps(const Outer& o, int64_t first_rank, int64_t first_column, const float (&sum)[kTiles][4]) {
    constexpr int kPitch = kColumns + 4;
    __shared__ __align__(16) float part[kWarps][16][kPitch];
    const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp, g = lane / 4, q = lane % 4;
#pragma unroll
    for (int e = 0; e < 4; ++e)
        *reinterpret_cast<float4*>(&part[warp][g + e / 2 * 8][q * 8 + e % 2 * 4]) = make_float4(sum[0][e], sum[1][e], sum[2][e], sum[3][e]);
    __syncthreads();
    for (int at = static_cast<int>(threadIdx.x); at < 16 * kColumns; at += kThreads) {
        const int r = TRANSPOSED ? at % 8 + at / (8 * kColumns) * 8 : at / kColumns,
                  column = TRANSPOSED ? at / 8 % kColumns : at % kColumns;
        const int64_t rank = first_rank + r, n = first_column + column;
        if (rank >= o.rank || n >= o.N) continue;
        float total = 0;
        for (int w = 0; w < kWarps; ++w) total += part[w][r][column];
        float& c = o.c[TRANSPOSED ? n * o.rank + rank : rank * o.N + n];
        c = fmaf(o.alpha, total, c);
    }
}

template <int RANKS, bool TRANSPOSED> __global__ void __launch_bounds__(kThreads, 1) outer_kernel(const Outer o) {
    constexpr int kDown = RANKS / 16, kStep = kWarps * kDepth, kAhead = RANKS == 16 ? 4 : 2;
    const int64_t first_column = int64_t{blockIdx.x} * kColumns, first_rank = int64_t{blockIdx.y} * RANKS;
    const int64_t column = first_column + threadIdx.x % kWarp / 4 * 4;
    float sum[kDown][kTiles][4] = {};
    int64_t t = threadIdx.x / kWarp * kDepth;
    Columns next[kAhead];
#pragma unroll
    for (int n = 0; n < kAhead; ++n) next[n].load(o, t + n * kStep, column);
#pragma unroll 1
    while (t < o.T) {
#pragma unroll
        for (int n = 0; n < kAhead; ++n, t += kStep) {
            if (t >= o.T) break;
            Columns x = next[n];
            next[n].load(o, t + kAhead * kStep, column);
            Left left[kDown];
#pragma unroll
            for (int i = 0; i < kDown; ++i) load_left(o, first_rank + i * 16, t, left[i]);
            x.drop(o.mask, t, column);
#pragma unroll
            for (int i = 0; i < kDown; ++i)
#pragma unroll
                for (int j = 0; j < kTiles; ++j) {
                    mma_m16n8k16(sum[i][j], left[i].rest, x.pair(0, j), x.pair(2, j));
                    mma_m16n8k16(sum[i][j], left[i].rounded, x.pair(0, j), x.pair(2, j));
                }
        }
    }
#pragma unroll
    for (int i = 0; i < kDown; ++i) {
        if (i > 0) __syncthreads();  // the same memory is written again
        add_warps<TRANSPOSED>(o, first_rank + i * 16, first_column, sum[i]);
    }
}

template <int RANKS> void run(const char* op, const Stream& stream, bool transposed, const Outer& o) {
    const dim3 grid(static_cast<unsigned>(ceil_div(o.N, kColumns)), static_cast<unsigned>(ceil_div(o.rank, RANKS)));
    launch(op, stream, transposed ? outer_kernel<RANKS, true> : outer_kernel<RANKS, false>, grid, kThreads, 0, o);
}

}  // namespace

void outer_product(const char* op, const Stream& stream, const View& left, const View& x, const DropoutMask& mask, float alpha, float* c,
                   bool transposed) {
    const Outer o = {x.rows, x.columns, left.columns, left.as<float>(), x.as<bf16>(), mask, alpha, c};
    if (o.rank <= 16)
        run<16>(op, stream, transposed, o);
    else
        run<32>(op, stream, transposed, o);
}

}  // namespace vaccine::ops
