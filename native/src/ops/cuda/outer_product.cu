// c += left^T mask(x). A block has 64 columns of x and up to 32 of left; its warps share the rows, 16 at a time in turn. Lanes of one q
// read one row of x, 8 neighbours each: lane g's are column g of the 8 mma tiles, so a tile's columns lie 8 apart.
#include "ops/cuda/low_rank.cuh"
#include "ops/cuda/low_rank.h"

namespace nv::ops {
namespace {

constexpr int kColumns = 64, kDepth = 16, kTiles = kColumns / 8;

/// Where a row's column lies in shared memory: groups of four change places from row to row, so that a column's rows are in several banks.
__device__ inline int place_of(int row, int column) {
    return column ^ row / 2 % 4 * 4;
}

struct Outer {
    int64_t T, N, rank;
    const float* left;
    const bf16* x;
    DropoutMask mask;
    float alpha;
    float* c;
};

/// The fragment of left^T for ranks `first` .. +15 and rows t .. +15.
__device__ void load_left(const Outer& o, int64_t first, int64_t t, uint32_t (&a)[4]) {
    const int lane = static_cast<int>(threadIdx.x) % kWarp, g = lane / 4, q = lane % 4;
#pragma unroll
    for (int part = 0; part < 4; ++part) {
        const int64_t r = first + g + part % 2 * 8, row = t + part / 2 * 8 + q * 2;
        const float low = r < o.rank && row < o.T ? o.left[row * o.rank + r] : 0.0f;
        const float high = r < o.rank && row + 1 < o.T ? o.left[(row + 1) * o.rank + r] : 0.0f;
        a[part] = pack_bf16(low, high);
    }
}

/// Column j of two rows in one register.
__device__ uint32_t pair_rows(const Eight& even, const Eight& odd, int j) {
    return __byte_perm(even.word[j / 2], odd.word[j / 2], j % 2 == 0 ? 0x5410 : 0x7632);
}

/// Adds the warps' sums, in the warps' order, and then to c. In shared memory column n = 16 q + 8 i + j of c lies at 4 q + j % 4 + 16 (2 i
/// + j / 4): as lanes have them, four neighbours a store, without conflicts.
template <bool TRANSPOSED>
__device__ void add_warps(const Outer& o, int64_t first_rank, int64_t first_column, const float (&sum)[kTiles][4]) {
    constexpr int kPitch = kColumns + 16;
    __shared__ __align__(16) float part[kLowRankWarps][16][kPitch];
    const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp, g = lane / 4, q = lane % 4;
#pragma unroll
    for (int e = 0; e < 4; ++e)
#pragma unroll
        for (int j = 0; j < kTiles; j += 4)
            *reinterpret_cast<float4*>(&part[warp][g + e / 2 * 8][place_of(g + e / 2 * 8, q * 4 + (e % 2 * 2 + j / 4) * 16)]) =
                make_float4(sum[j][e], sum[j + 1][e], sum[j + 2][e], sum[j + 3][e]);
    __syncthreads();
    for (int at = static_cast<int>(threadIdx.x); at < 16 * kColumns; at += kLowRankThreads) {
        const int r = TRANSPOSED ? at % 16 : at / kColumns, place = TRANSPOSED ? at / 16 : at % kColumns;
        const int64_t rank = first_rank + r, n = first_column + place % 16 / 4 * 16 + place / 16 * 4 + place % 4;
        if (rank >= o.rank || n >= o.N) continue;
        float total = 0;
        for (int w = 0; w < kLowRankWarps; ++w) total += part[w][r][place_of(r, place)];
        float& c = o.c[TRANSPOSED ? n * o.rank + rank : rank * o.N + n];
        c = fmaf(o.alpha, total, c);
    }
}

template <int RANKS, bool TRANSPOSED> __global__ void __launch_bounds__(kLowRankThreads, 1) outer_kernel(const Outer o) {
    constexpr int kDown = RANKS / 16;
    const int lane = static_cast<int>(threadIdx.x) % kWarp, g = lane / 4, q = lane % 4;
    const int64_t first_column = int64_t{blockIdx.x} * kColumns, first_rank = int64_t{blockIdx.y} * RANKS, column = first_column + g * 8;
    float sum[kDown][kTiles][4] = {};
#pragma unroll 2
    for (int64_t t = threadIdx.x / kWarp * kDepth; t < o.T; t += kLowRankWarps * kDepth) {
        Eight x[4];
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            const int64_t row = t + i / 2 * 8 + q * 2 + i % 2;
            x[i] = Eight::load(o.x + row * o.N + column, row < o.T && column < o.N);
            if (!o.mask.active()) continue;
            x[i].drop_half(0, o.mask, o.mask.element(row, column));
            x[i].drop_half(1, o.mask, o.mask.element(row, column + 4));
        }
#pragma unroll
        for (int i = 0; i < kDown; ++i) {
            uint32_t a[4];
            load_left(o, first_rank + i * 16, t, a);
#pragma unroll
            for (int j = 0; j < kTiles; ++j) multiply_fragments(sum[i][j], a, pair_rows(x[0], x[1], j), pair_rows(x[2], x[3], j));
        }
    }
#pragma unroll
    for (int i = 0; i < kDown; ++i) {
        if (i > 0) __syncthreads();  // the same memory is written again
        add_warps<TRANSPOSED>(o, first_rank + i * 16, first_column, sum[i]);
    }
}

template <int RANKS> void run(const char* op, const Stream& stream, bool transposed, const Outer& o) {
    const dim3 grid(static_cast<unsigned>(divide_up(o.N, kColumns)), static_cast<unsigned>(divide_up(o.rank, RANKS)));
    launch(op, stream, transposed ? outer_kernel<RANKS, true> : outer_kernel<RANKS, false>, grid, kLowRankThreads, 0, o);
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

}  // namespace nv::ops
