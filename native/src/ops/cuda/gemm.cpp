#include "ops/cuda/gemm.h"

#include "ops/cuda/cublas.h"

namespace vaccine::ops {

void gemm(const char* op, const Stream& stream, GemmKind kind, DType c_type, const Gemm& whole) {
    if (stream.cublas == nullptr || whole.M == 0 || whole.N == 0) return gemm_bf16(op, stream, kind, c_type, whole);
    gemm_cublas(op, stream, kind, c_type, whole);
    if (whole.low.rank == 0 && whole.bias == nullptr) return;
    Gemm rest = whole;
    rest.K = 0;
    rest.addend = whole.c;
    gemm_bf16(op, stream, kind, c_type, rest);
}

}  // namespace vaccine::ops
