// Which tile a product gets.
#include "ops/cuda/gemm_bf16.cuh"

namespace nv::ops {

// Compiled in gemm_forward.cu, gemm_backward.cu.
template <class Tile> void gemm_forward(const char* op, const Stream& stream, DType c_type, const Gemm& gemm);
template <class Tile> void gemm_input_gradient(const char* op, const Stream& stream, const Gemm& gemm);
template <class Tile> void gemm_weight_gradient(const char* op, const Stream& stream, const Gemm& gemm);

namespace {

template <class Tile> void run(const char* op, const Stream& stream, GemmKind kind, DType c_type, const Gemm& gemm) {
    switch (kind) {
        case GemmKind::Forward:
            return gemm_forward<Tile>(op, stream, c_type, gemm);
        case GemmKind::InputGradient:
            return gemm_input_gradient<Tile>(op, stream, gemm);
        case GemmKind::WeightGradient:
            return gemm_weight_gradient<Tile>(op, stream, gemm);
    }
}

int multiprocessors() {
    int device = 0, count = 1;
    cudaGetDevice(&device);
    cudaDeviceGetAttribute(&count, cudaDevAttrMultiProcessorCount, device);
    return count;
}

/// Time of a product in this tile, in no unit: what the busiest multiprocessor does. `speed`: of the tile, relative to the large one; a
/// small tile reads more of a and b for each product.
template <class Tile> double cost(const Gemm& gemm, int processors, double speed) {
    const int64_t blocks = divide_up(gemm.M, Tile::kRows) * divide_up(gemm.N, Tile::kColumns);
    return static_cast<double>(divide_up(blocks, processors) * Tile::kRows * Tile::kColumns) / speed;
}

}  // namespace

void gemm_bf16(const char* op, const Stream& stream, GemmKind kind, DType c_type, const Gemm& gemm) {
    if (gemm.M == 0 || gemm.N == 0) return;
    if (gemm.M <= SmallTile::kRows) return run<SmallTile>(op, stream, kind, c_type, gemm);
    const int processors = multiprocessors();
    const double large = cost<LargeTile>(gemm, processors, 1), middle = cost<MiddleTile>(gemm, processors, 0.7);
    if (large <= middle)
        run<LargeTile>(op, stream, kind, c_type, gemm);
    else
        run<MiddleTile>(op, stream, kind, c_type, gemm);
}

}  // namespace nv::ops
