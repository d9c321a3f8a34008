// c = mask(x) right. A block has 16 rows of x and up to 64 columns of c; its warps share k, 32 at a time in turn. Of every 16 in k a lane
// has 4 neighbours, where the mma wants two pairs: k is permuted alike in both operands, and loads fill whole sectors.
#include "ops/cuda/low_rank.cuh"
#include "ops/cuda/low_rank.h"

namespace vaccine::ops {
namespace {

constexpr int kRows = 16, kDepth = 32;

/// Of a block: as many as shared memory has room for.
template <int TILES> constexpr int kWarps = TILES < 8 ? 16 : 8;

struct Projection {
    int64_t T, K, rank;
    const bf16* x;
    DropoutMask mask;
    const float* right;
    float alpha;
    float* c;
};

/// right's values for four neighbours in k and one column of c.
template <bool RIGHT_ROWS> __device__ void load_right(const Projection& p, int64_t column, int64_t k, float (&value)[4]) {
    if (column >= p.rank || k >= p.K) {
#pragma unroll
        for (float& each : value) each = 0;
    } else if constexpr (RIGHT_ROWS) {
        const Pack<float, 4> four = load<4>(p.right + column * p.K + k);
#pragma unroll
        for (int i = 0; i < 4; ++i) value[i] = four.item[i];
    } else {
#pragma unroll
        for (int i = 0; i < 4; ++i) value[i] = p.right[(k + i) * p.rank + column];
    }
}

/// The warps' sums, added in the warps' order.
template <int TILES> __device__ void add_warps(const Projection& p, int64_t first_row, int64_t first_column, const float (&sum)[TILES][4]) {
    constexpr int kColumns = TILES * 8, kPitch = TILES == 1 ? 8 : kColumns + 8;  // rows begin 8 banks apart
    __shared__ float part[kWarps<TILES>][kRows][kPitch];
    const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
#pragma unroll
    for (int j = 0; j < TILES; ++j)
#pragma unroll
        for (int half = 0; half < 2; ++half)
            *reinterpret_cast<float2*>(&part[warp][lane / 4 + half * 8][j * 8 + lane % 4 * 2]) =
                make_float2(sum[j][half * 2], sum[j][half * 2 + 1]);
    __syncthreads();
    for (int at = static_cast<int>(threadIdx.x); at < kRows * kColumns; at += kWarps<TILES> * kWarp) {
        const int i = at / kColumns, j = at % kColumns;
        if (first_row + i >= p.T || first_column + j >= p.rank) continue;
        float total = 0;
        for (int w = 0; w < kWarps<TILES>; ++w) total += part[w][i][j];
        p.c[(first_row + i) * p.rank + first_column + j] = p.alpha * total;
    }
}

/// Two rows' share of a step, eight rows apart; zeros beyond the matrix.
struct Rows {
    Four upper[2], lower[2];

    __device__ void load(const Projection& p, int64_t row, int64_t first) {
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            const int64_t k = first + half * 16;
            upper[half] = Four::load(p.x + row * p.K + k, row < p.T && k < p.K);
            lower[half] = Four::load(p.x + (row + 8) * p.K + k, row + 8 < p.T && k < p.K);
        }
    }
    __device__ void drop(const DropoutMask& mask, int64_t row, int64_t first) {
        if (!mask.active()) return;
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            upper[half].drop(mask, mask.element(row, first + half * 16));
            lower[half].drop(mask, mask.element(row + 8, first + half * 16));
        }
    }
};

template <int TILES, bool RIGHT_ROWS> __global__ void __launch_bounds__(kWarps<TILES>* kWarp, 1) project_kernel(const Projection p) {
    const int lane = static_cast<int>(threadIdx.x) % kWarp, g = lane / 4, q = lane % 4;
    const int64_t first_row = int64_t{blockIdx.x} * kRows, first_column = int64_t{blockIdx.y} * TILES * 8;
    const int64_t row = first_row + g;
    constexpr int kStep = kWarps<TILES> * kDepth;
    float sum[TILES][4] = {};
    int64_t first = threadIdx.x / kWarp * kDepth + q * 4;
    Rows next;
    next.load(p, row, first);
#pragma unroll 1
    for (; first - q * 4 < p.K; first += kStep) {
        Rows x = next;
        next.load(p, row, first + kStep);  // while this step is masked
        float b[TILES][2][4];
#pragma unroll
        for (int j = 0; j < TILES; ++j)
#pragma unroll
            for (int half = 0; half < 2; ++half) load_right<RIGHT_ROWS>(p, first_column + j * 8 + g, first + half * 16, b[j][half]);
        x.drop(p.mask, row, first);
#pragma unroll
        for (int j = 0; j < TILES; ++j)
#pragma unroll
            for (int half = 0; half < 2; ++half) {
                const uint32_t a[4] = {x.upper[half].word[0], x.lower[half].word[0], x.upper[half].word[1], x.lower[half].word[1]};
                const float(&r)[4] = b[j][half];
                const SplitPair first_two = split_bf16(r[0], r[1]), last_two = split_bf16(r[2], r[3]);
                mma_m16n8k16(sum[j], a, first_two.rest, last_two.rest);
                mma_m16n8k16(sum[j], a, first_two.rounded, last_two.rounded);
            }
    }
    add_warps<TILES>(p, first_row, first_column, sum);
}

template <int TILES> void run(const char* op, const Stream& stream, bool right_rows, const Projection& p) {
    const dim3 grid(static_cast<unsigned>(ceil_div(p.T, kRows)), static_cast<unsigned>(ceil_div(p.rank, TILES * 8)));
    launch(op, stream, right_rows ? project_kernel<TILES, true> : project_kernel<TILES, false>, grid, kWarps<TILES> * kWarp, 0, p);
}

}  // namespace

void project_rows(const char* op, const Stream& stream, const View& x, const DropoutMask& mask, const View& right, bool right_rows,
                  float alpha, float* c) {
    if (x.rows == 0) return;
    const int64_t rank = right_rows ? right.rows : right.columns;
    const Projection p = {x.rows, x.columns, rank, x.as<bf16>(), mask, right.as<float>(), alpha, c};
    if (rank <= 8)
        run<1>(op, stream, right_rows, p);
    else if (rank <= 16)
        run<2>(op, stream, right_rows, p);
    else if (rank <= 32)
        run<4>(op, stream, right_rows, p);
    else
        run<8>(op, stream, right_rows, p);
}

}  // namespace vaccine::ops
