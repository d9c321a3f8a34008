// cublasLt, opened at run time: nothing of ours is linked with it.
#pragma once
#include "ops/cuda/gemm.h"

namespace vaccine::ops {

/// On the GPU, beside what a plan counts: taken when cuBLAS is chosen. What cuBLAS's reference recommends for the largest cards.
constexpr size_t kCublasWorkspaceBytes = size_t{32} << 20;

/// c = product, or addend + product: gemm_bf16 without bias and low-rank part. stream.cublas is set.
void gemm_cublas(const char* op, const Stream& stream, GemmKind kind, DType c_type, const Gemm& gemm);

}  // namespace vaccine::ops
