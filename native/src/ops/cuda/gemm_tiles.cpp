// Which tile a product gets.
#include "ops/cuda/gemm_tiles.h"

#include "ops/cuda/stream.h"

namespace vaccine::ops {
namespace {

/// Whether a multiprocessor's shared memory holds as many blocks as the tile wants; CUDA takes 1 KB for itself in each.
template <class Tile> bool has_room() {
    return device_attribute(cudaDevAttrMaxSharedMemoryPerMultiprocessor) >= Tile::kBlocks * (Tile::kSharedBytes + 1024);
}

/// Time of a product in this tile, in no unit: what the busiest multiprocessor does. `speed`: of the tile, relative to the large one; a
/// small tile reads more of a and b for each product.
template <class Tile> double cost(const Gemm& gemm, int processors, double speed) {
    const int64_t blocks = ceil_div(gemm.M, Tile::kRows) * ceil_div(gemm.N, Tile::kColumns);
    return static_cast<double>(ceil_div(blocks, processors) * Tile::kRows * Tile::kColumns) / speed;
}

}  // namespace

void gemm_bf16(const char* op, const Stream& stream, GemmKind kind, DType c_type, const Gemm& gemm) {
    if (gemm.M == 0 || gemm.N == 0) return;
    if (gemm.M <= SmallTile::kRows) return gemm_with<SmallTile>(op, stream, kind, c_type, gemm);
    const int processors = device_attribute(cudaDevAttrMultiProcessorCount);
    // What cuBLAS left to do is bound by memory: more blocks have more of it under way.
    if (gemm.K == 0 || cost<MiddleTile>(gemm, processors, 0.7) < cost<LargeTile>(gemm, processors, 1))
        return gemm_with<MiddleTile>(op, stream, kind, c_type, gemm);
    if (has_room<DeepTile>()) return gemm_with<DeepTile>(op, stream, kind, c_type, gemm);
    gemm_with<LargeTile>(op, stream, kind, c_type, gemm);
}

}  // namespace vaccine::ops
