// The tensor cores' product. A block owns a tile of c, its warps parts of that; k goes through a ring of tiles in shared memory that
// asynchronous copies fill STAGES - 1 ahead. The low-rank part comes first, through the stage that the first copies leave free: so its mask
// can be applied to the accumulators before anything else is in them, and needs no registers of its own.
#pragma once
#include "ops/cuda/gemm_epilogue.cuh"
#include "ops/cuda/gemm_tile.cuh"
#include "ops/cuda/gemm_tiles.h"

namespace vaccine::ops {

/// What one warp does in its block.
template <class Tile, GemmKind KIND> struct GemmBlock {
    static constexpr bool kLeftInner = KIND != GemmKind::WeightGradient, kRightInner = KIND == GemmKind::Forward;
    static constexpr int kRows = Tile::kRows, kColumns = Tile::kColumns, kDepth = Tile::kDepth, kThreads = Tile::kThreads;
    static constexpr int kDown = Tile::kWarpRows / kMmaM, kAcross = Tile::kWarpColumns / kMmaN;
    using Left = TileLayout<kRows, kDepth, kLeftInner>;
    using Right = TileLayout<kColumns, kDepth, kRightInner>;
    using Accumulators = float[kDown][kAcross][4];
    /// What a step of kMmaK in k multiplies.
    struct Fragments {
        uint32_t a[kDown][4], b[kAcross / 2][4];
    };

    const int row, column;  // of c, where the warp's part begins
    const TileFragments<kRows, kDepth, kLeftInner, true, kDown> left;
    const TileFragments<kColumns, kDepth, kRightInner, false, kAcross / 2> right;

    __device__ GemmBlock(int warp_row, int warp_column)
        : row(static_cast<int>(blockIdx.x) * kRows + warp_row),
          column(static_cast<int>(blockIdx.y) * kColumns + warp_column),
          left(warp_row),
          right(warp_column) {}

    __device__ void load(Fragments& to, uint32_t stage, int k_step) const {
#pragma unroll
        for (int i = 0; i < kDown; ++i) left.load(to.a[i], stage, i, k_step);
#pragma unroll
        for (int j = 0; j < kAcross / 2; ++j) right.load(to.b[j], stage + Left::kBytes, j, k_step);
    }

    /// Of the one the left operand, of the other the right one.
    __device__ static void multiply(const Fragments& l, const Fragments& r, Accumulators& sum) {
#pragma unroll
        for (int i = 0; i < kDown; ++i)
#pragma unroll
            for (int j = 0; j < kAcross; ++j) mma_m16n8k16(sum[i][j], l.a[i], r.b[j / 2][j % 2 * 2], r.b[j / 2][j % 2 * 2 + 1]);
    }

    /// kMmaK columns from first_k on of an fp32 matrix, times `factor`, into a tile at `to`: rounded, and in the next kMmaK columns what
    /// that leaves, rounded. Zeros beyond `limit` and `rank`. Several loads are under way at once.
    template <class Layout, int EXTENT, bool K_MAJOR> __device__ static void copy_low_rank(unsigned char* to, const float* matrix,
                                                                                           int64_t matrix_row, int first, int limit,
                                                                                           int first_k, int rank, float factor) {
        constexpr int kPasses = EXTENT * kMmaK / kThreads, kAtOnce = kPasses < 8 ? kPasses : 8;
        static_assert(EXTENT * kMmaK % kThreads == 0 && kPasses % kAtOnce == 0, "every pass is full");
        const int thread = static_cast<int>(threadIdx.x);
#pragma unroll 1
        for (int start = thread; start < EXTENT * kMmaK; start += kAtOnce * kThreads) {
            float value[kAtOnce];
#pragma unroll
            for (int pass = 0; pass < kAtOnce; ++pass) {
                const int at = start + pass * kThreads;
                const int i = first + (K_MAJOR ? at / kMmaK : at % EXTENT), k = first_k + (K_MAJOR ? at % kMmaK : at / EXTENT);
                value[pass] = i < limit && k < rank ? matrix[K_MAJOR ? i * matrix_row + k : k * matrix_row + i] : 0.0f;
            }
#pragma unroll
            for (int pass = 0; pass < kAtOnce; ++pass) {
                const int at = start + pass * kThreads;
                const int i = K_MAJOR ? at / kMmaK : at % EXTENT, k = K_MAJOR ? at % kMmaK : at / EXTENT;
                const float whole = factor * value[pass];
                const bf16 rounded = __float2bfloat16_rn(whole);
                *reinterpret_cast<bf16*>(to + Layout::element(i, k)) = rounded;
                *reinterpret_cast<bf16*>(to + Layout::element(i, k + kMmaK)) = __float2bfloat16_rn(whole - __bfloat162float(rounded));
            }
        }
    }

    /// Adds the low-rank part through `stage`, which nobody uses meanwhile, and masks it. Of the products of two terms each, that of both
    /// rests is left out: it is at most 2^-16 of the whole.
    __device__ void add_low_rank(const Gemm& g, unsigned char* stage, Accumulators& sum) const {
        const LowRank& low = g.low;
        const int block_row = static_cast<int>(blockIdx.x) * kRows, block_column = static_cast<int>(blockIdx.y) * kColumns;
        for (int k = 0; k < low.rank; k += kMmaK) {
            if (k > 0) __syncthreads();  // all are done with the part before; after the last, the barrier before the main loop says so
            copy_low_rank<Left, kRows, true>(stage, low.left, low.rank, block_row, g.M, k, low.rank, low.scale);
            copy_low_rank<Right, kColumns, kRightInner>(stage + Left::kBytes, low.right, low.right_row, block_column, g.N, k, low.rank, 1);
            __syncthreads();
            Fragments rounded, rest;
            load(rounded, shared_address(stage), 0);
            load(rest, shared_address(stage), 1);
            multiply(rest, rounded, sum);
            multiply(rounded, rest, sum);
            multiply(rounded, rounded, sum);
        }
        if constexpr (KIND == GemmKind::InputGradient)
            if (low.mask.active()) mask_accumulators<kDown, kAcross>(low.mask, row, column, sum);
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
        cp_async_commit();  // an empty group too, so that one wait serves every step
    };

#pragma unroll
    for (int stage = 0; stage < kStages - 1; ++stage) fill(stage, stage);
    typename Block::Accumulators sum = {};
    if constexpr (KIND != GemmKind::WeightGradient)
        if (g.low.rank > 0) block.add_low_rank(g, shared + (kStages - 1) * Tile::kStageBytes, sum);

    // A step's fragments are loaded while the one before it multiplies, across stages too.
    constexpr int kSteps = kDepth / kMmaK;
    typename Block::Fragments fragments[2];
    cp_async_wait<kStages - 2>();
    __syncthreads();  // the first tiles are there for all, and all are done with the low-rank part
    if (steps > 0) block.load(fragments[0], tiles, 0);
    for (int first = 0; first < steps; first += kStages) {
#pragma unroll
        for (int stage = 0; stage < kStages; ++stage) {
            if (first + stage >= steps) break;
            fill(first + stage + kStages - 1, (stage + kStages - 1) % kStages);
#pragma unroll
            for (int k_step = 0; k_step < kSteps; ++k_step) {
                const int turn = (stage * kSteps + k_step) % 2;
                if (k_step + 1 < kSteps) {
                    block.load(fragments[1 - turn], tiles + static_cast<uint32_t>(stage * Tile::kStageBytes), k_step + 1);
                } else if (first + stage + 1 < steps) {
                    cp_async_wait<kStages - 2>();
                    __syncthreads();  // the next tiles are there for all, and all have loaded from these, which are filled next
                    block.load(fragments[1 - turn], tiles + static_cast<uint32_t>((stage + 1) % kStages * Tile::kStageBytes), 0);
                }
                Block::multiply(fragments[turn], fragments[turn], sum);
            }
        }
    }
    cp_async_wait<0>();
    write_accumulators<Block::kDown, Block::kAcross, C>(g, block.row, block.column, sum);
}

template <class Tile, GemmKind KIND, class C> void launch_gemm(const char* op, const Stream& stream, const Gemm& gemm) {
    const dim3 grid(static_cast<unsigned>(ceil_div(gemm.M, Tile::kRows)), static_cast<unsigned>(ceil_div(gemm.N, Tile::kColumns)));
    launch(op, stream, gemm_kernel<Tile, KIND, C>, grid, Tile::kThreads, Tile::kSharedBytes, gemm);
}

}  // namespace vaccine::ops
