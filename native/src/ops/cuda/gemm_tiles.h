// The tiles that a product on tensor cores may be cut into.
#pragma once
#include "core/stream.h"
#include "ops/cuda/gemm.h"

namespace vaccine::ops {

/// ROWS x COLUMNS of c a block, WARP_ROWS x WARP_COLUMNS a warp, DEPTH of k a stage; BLOCKS at once on a multiprocessor.
template <int ROWS, int COLUMNS, int DEPTH, int WARP_ROWS, int WARP_COLUMNS, int STAGES, int BLOCKS> struct GemmTile {
    static constexpr int kRows = ROWS, kColumns = COLUMNS, kDepth = DEPTH, kStages = STAGES, kBlocks = BLOCKS;
    static constexpr int kWarpRows = WARP_ROWS, kWarpColumns = WARP_COLUMNS;
    static constexpr int kWarpsAcross = COLUMNS / WARP_COLUMNS;
    static constexpr int kThreads = ROWS / WARP_ROWS * kWarpsAcross * 32;
    static constexpr int kStageBytes = (ROWS + COLUMNS) * DEPTH * 2;
    static constexpr int64_t kSharedBytes = int64_t{STAGES} * kStageBytes;
};

// 48 KB of shared memory in the large tile lets two blocks share an RTX 3090's multiprocessor (100 KB). Where 228 KB are there for two, as
// on an H100, whose tensor cores wait less for each product, twice the depth is faster (bench/results/gemm-tiles.md). The small one is for
// few rows: reading b once bounds it, and its blocks must be many; two lines of a row a stage.
using LargeTile = GemmTile<128, 128, 32, 64, 64, 3, 2>;
using DeepTile = GemmTile<128, 128, 64, 64, 64, 3, 2>;
using MiddleTile = GemmTile<64, 64, 32, 32, 32, 4, 3>;
using SmallTile = GemmTile<32, 32, 128, 16, 16, 3, 3>;

// For each of these tiles; compiled in gemm_forward.cu, gemm_backward.cu.
template <class Tile> void gemm_forward(const char* op, const Stream& stream, DType c_type, const Gemm& gemm);
template <class Tile> void gemm_input_gradient(const char* op, const Stream& stream, const Gemm& gemm);
template <class Tile> void gemm_weight_gradient(const char* op, const Stream& stream, const Gemm& gemm);

/// gemm_bf16 with a tile of one's choice.
template <class Tile> void gemm_with(const char* op, const Stream& stream, GemmKind kind, DType c_type, const Gemm& gemm) {
    switch (kind) {
        case GemmKind::Forward:
            return gemm_forward<Tile>(op, stream, c_type, gemm);
        case GemmKind::InputGradient:
            return gemm_input_gradient<Tile>(op, stream, gemm);
        case GemmKind::WeightGradient:
            return gemm_weight_gradient<Tile>(op, stream, gemm);
    }
}

}  // namespace vaccine::ops
