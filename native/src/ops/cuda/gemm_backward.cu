#include "ops/cuda/gemm_bf16.cuh"

namespace vaccine::ops {

template <class Tile> void gemm_input_gradient(const char* op, const Stream& stream, const Gemm& gemm) {
    launch_gemm<Tile, GemmKind::InputGradient, bf16>(op, stream, gemm);
}
template <class Tile> void gemm_weight_gradient(const char* op, const Stream& stream, const Gemm& gemm) {
    launch_gemm<Tile, GemmKind::WeightGradient, float>(op, stream, gemm);
}
template void gemm_input_gradient<LargeTile>(const char*, const Stream&, const Gemm&);
template void gemm_input_gradient<DeepTile>(const char*, const Stream&, const Gemm&);
template void gemm_input_gradient<MiddleTile>(const char*, const Stream&, const Gemm&);
template void gemm_input_gradient<SmallTile>(const char*, const Stream&, const Gemm&);
template void gemm_weight_gradient<LargeTile>(const char*, const Stream&, const Gemm&);
template void gemm_weight_gradient<DeepTile>(const char*, const Stream&, const Gemm&);
template void gemm_weight_gradient<MiddleTile>(const char*, const Stream&, const Gemm&);
template void gemm_weight_gradient<SmallTile>(const char*, const Stream&, const Gemm&);

}  // namespace vaccine::ops
