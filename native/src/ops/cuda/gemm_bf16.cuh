// The tensor cores' product. A block owns a tile of c, its warps parts of that; k goes through a ring of tiles in shared memory that
// asynchronous copies fill STAGES - 1 ahead. The low-rank part comes first, through the stage that the first copies leave free: so its mask
// can be applied to the accumulators before anything else is in them, and needs no registers of its own.
#pragma once
#include "ops/cuda/gemm.h"
#include "ops/cuda/gemm_epilogue.cuh"
#include "ops/cuda/gemm_tile.cuh"

namespace nv::ops {

/// ROWS x COLUMNS of c a block, WARP_ROWS x WARP_COLUMNS a warp, DEPTH of k a stage; BLOCKS at once on a multiprocessor.
template <int ROWS, int COLUMNS, int DEPTH, int WARP_ROWS, int WARP_COLUMNS, int STAGES, int BLOCKS> struct GemmTile {
    static constexpr int kRows = ROWS, kColumns = COLUMNS, kDepth = DEPTH, kStages = STAGES, kBlocks = BLOCKS;
    static constexpr int kWarpRows = WARP_ROWS, kWarpColumns = WARP_COLUMNS;
    static constexpr int kWarpsAcross = COLUMNS / WARP_COLUMNS;
    static constexpr int kThreads = ROWS / WARP_ROWS * kWarpsAcross * kWarp;
    static constexpr int kStageBytes = (ROWS + COLUMNS) * DEPTH * 2;
    static constexpr int64_t kSharedBytes = int64_t{STAGES} * kStageBytes;
};

/// What one warp does in its block.
template <class Tile, GemmKind KIND> struct GemmBlock {
    static constexpr bool kLeftInner = KIND != GemmKind::WeightGradient, kRightInner = KIND == GemmKind::Forward;
    static constexpr int kRows = Tile::kRows, kColumns = Tile::kColumns, kDepth = Tile::kDepth, kThreads = Tile::kThreads;
    static constexpr int kDown = Tile::kWarpRows / 16, kAcross = Tile::kWarpColumns / 8;
    using Left = TileLayout<kRows, kDepth, kLeftInner>;
    using Right = TileLayout<kColumns, kDepth, kRightInner>;
    using Accumulators = float[kDown][kAcross][4];

    const int row, column;  // of c, where the warp's part begins
    const TileFragments<kRows, kDepth, kLeftInner, true, kDown> left;
    const TileFragments<kColumns, kDepth, kRightInner, false, kAcross / 2> right;

    __device__ GemmBlock(int warp_row, int warp_column)
        : row(static_cast<int>(blockIdx.x) * kRows + warp_row),
          column(static_cast<int>(blockIdx.y) * kColumns + warp_column),
          left(warp_row),
          right(warp_column) {}

    /// One step of 16 in k.
    __device__ void multiply(uint32_t stage, int k_step, Accumulators& sum) const {
        uint32_t a[kDown][4], b[kAcross / 2][4];
#pragma unroll
        for (int i = 0; i < kDown; ++i) left.load(a[i], stage, i, k_step);
#pragma unroll
        for (int j = 0; j < kAcross / 2; ++j) right.load(b[j], stage + Left::kBytes, j, k_step);
#pragma unroll
        for (int i = 0; i < kDown; ++i)
#pragma unroll
            for (int j = 0; j < kAcross; ++j) multiply_fragments(sum[i][j], a[i], b[j / 2][j % 2 * 2], b[j / 2][j % 2 * 2 + 1]);
    }

    /// Columns first_k .. + 15 in k of an fp32 matrix, times `factor` and rounded, into a tile at `to`; zeros beyond `limit` and `rank`.
    template <class Layout, int EXTENT, bool K_INNER> __device__ static void round_tile(unsigned char* to, const float* matrix,
                                                                                        int64_t matrix_row, int first, int limit,
                                                                                        int first_k, int rank, float factor) {
#pragma unroll 4
        for (int at = static_cast<int>(threadIdx.x); at < EXTENT * 16; at += kThreads) {
            const int i = K_INNER ? at / 16 : at % EXTENT, k = K_INNER ? at % 16 : at / EXTENT;
            const int64_t from = K_INNER ? (first + i) * matrix_row + first_k + k : (first_k + k) * matrix_row + first + i;
            const float value = first + i < limit && first_k + k < rank ? factor * matrix[from] : 0.0f;
            *reinterpret_cast<bf16*>(to + Layout::element(i, first_k % kDepth + k)) = __float2bfloat16_rn(value);
        }
    }

    /// Adds the low-rank part through `stage`, which nobody uses meanwhile, and masks it.
    __device__ void add_low_rank(const Gemm& g, unsigned char* stage, Accumulators& sum) const {
        const LowRank& low = g.low;
        const int block_row = static_cast<int>(blockIdx.x) * kRows, block_column = static_cast<int>(blockIdx.y) * kColumns;
        for (int first = 0; first < low.rank; first += kDepth) {
            const int last = min(low.rank, first + kDepth);
            if (first > 0) __syncthreads();  // all are done with the part before; after the last, the main loop's first barrier says so
            for (int k = first; k < last; k += 16) {
                round_tile<Left, kRows, true>(stage, low.left, low.rank, block_row, g.M, k, low.rank, low.scale);
                round_tile<Right, kColumns, kRightInner>(stage + Left::kBytes, low.right, low.right_row, block_column, g.N, k, low.rank, 1);
            }
            __syncthreads();
            for (int k = first; k < last; k += 16) multiply_any(shared_address(stage), (k - first) / 16, sum);
        }
        if (low.mask.active()) mask_accumulators<kDown, kAcross>(low.mask, row, column, sum);
    }

    /// multiply for a k_step that the compiler does not know.
    __device__ void multiply_any(uint32_t stage, int k_step, Accumulators& sum) const {
#pragma unroll
        for (int i = 0; i < kDepth / 16; ++i)
            if (i == k_step) multiply(stage, i, sum);
    }
};

template <class Tile, GemmKind KIND, class C> __global__ void __launch_bounds__(Tile::kThreads, Tile::kBlocks) gemm_kernel(const Gemm g) {
    using Block = GemmBlock<Tile, KIND>;
    constexpr int kDepth = Tile::kDepth, kStages = Tile::kStages;
    extern __shared__ __align__(128) unsigned char shared[];
    const uint32_t tiles = shared_address(shared);
    const int warp = static_cast<int>(threadIdx.x) / kWarp;
    const int block_row = static_cast<int>(blockIdx.x) * Tile::kRows, block_column = static_cast<int>(blockIdx.y) * Tile::kColumns;
    const Block block(warp / Tile::kWarpsAcross * Tile::kWarpRows, warp % Tile::kWarpsAcross * Tile::kWarpColumns);
    const bool inside = block_row + Tile::kRows <= g.M && block_column + Tile::kColumns <= g.N;
    const int steps = (g.K + kDepth - 1) / kDepth, inside_steps = inside ? g.K / kDepth : 0;

    TileCopy<Tile::kRows, kDepth, Block::kLeftInner, Tile::kThreads> left(g.a, g.a_row, block_row, g.M, g.K);
    TileCopy<Tile::kColumns, kDepth, Block::kRightInner, Tile::kThreads> right(g.b, g.b_row, block_column, g.N, g.K);
    const auto fill = [&](int step, int stage) {
        const uint32_t to = tiles + static_cast<uint32_t>(stage * Tile::kStageBytes);
        if (step < inside_steps) {
            left.template next<true, kStages>(to, step, stage);
            right.template next<true, kStages>(to + Block::Left::kBytes, step, stage);
        } else if (step < steps) {
            left.template next<false, kStages>(to, step, stage);
            right.template next<false, kStages>(to + Block::Left::kBytes, step, stage);
        }
        commit_copies();  // an empty group too, so that one wait serves every step
    };

#pragma unroll
    for (int stage = 0; stage < kStages - 1; ++stage) fill(stage, stage);
    typename Block::Accumulators sum = {};
    if (g.low.rank > 0) block.add_low_rank(g, shared + (kStages - 1) * Tile::kStageBytes, sum);

    for (int first = 0; first < steps; first += kStages) {
#pragma unroll
        for (int stage = 0; stage < kStages; ++stage) {
            if (first + stage >= steps) break;
            wait_for_copies<kStages - 2>();
            __syncthreads();  // this step's tiles are there for all, and all are done with the ones that are filled next
            fill(first + stage + kStages - 1, (stage + kStages - 1) % kStages);
#pragma unroll
            for (int k_step = 0; k_step < kDepth / 16; ++k_step)
                block.multiply(tiles + static_cast<uint32_t>(stage * Tile::kStageBytes), k_step, sum);
        }
    }
    wait_for_copies<0>();
    write_accumulators<Block::kDown, Block::kAcross, C>(g, block.row, block.column, sum);
}

template <class Tile, GemmKind KIND, class C> void launch_gemm(const char* op, const Stream& stream, const Gemm& gemm) {
    const dim3 grid(static_cast<unsigned>(divide_up(gemm.M, Tile::kRows)), static_cast<unsigned>(divide_up(gemm.N, Tile::kColumns)));
    launch(op, stream, gemm_kernel<Tile, KIND, C>, grid, Tile::kThreads, Tile::kSharedBytes, gemm);
}

// Sizes: 48 KB of shared memory in the large tile lets two blocks share an RTX 3090's multiprocessor (100 KB). The small one is for few
// rows: reading b once bounds it, and its blocks must be many; 128 bytes of a row a stage.
using LargeTile = GemmTile<128, 128, 32, 64, 64, 3, 2>;
using MiddleTile = GemmTile<64, 64, 32, 32, 32, 4, 3>;
using SmallTile = GemmTile<32, 32, 64, 16, 16, 4, 3>;

}  // namespace nv::ops
