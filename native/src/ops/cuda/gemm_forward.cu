#include "ops/cuda/gemm_bf16.cuh"

namespace vaccine::ops {

template <class Tile> void gemm_forward(const char* op, const Stream& stream, DType c_type, const Gemm& gemm) {
    dispatch(c_type, [&](auto zero) { launch_gemm<Tile, GemmKind::Forward, decltype(zero)>(op, stream, gemm); });
}
template void gemm_forward<LargeTile>(const char*, const Stream&, DType, const Gemm&);
template void gemm_forward<DeepTile>(const char*, const Stream&, DType, const Gemm&);
template void gemm_forward<MiddleTile>(const char*, const Stream&, DType, const Gemm&);
template void gemm_forward<SmallTile>(const char*, const Stream&, DType, const Gemm&);

}  // namespace vaccine::ops
