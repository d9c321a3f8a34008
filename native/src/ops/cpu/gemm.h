#pragma once
#include "core/dtype.h"
#include "core/stream.h"

namespace vaccine::ops {

/// An fp32 or bf16 matrix that is only read: element (i, j) is data[i * row_stride + j * column_stride].
struct GemmOperand {
    const void* data = nullptr;
    DType dtype = DType::F32;
    int64_t row_stride = 0, column_stride = 0;
};

/// c = alpha * a b + bias, or c += alpha * a b + bias.
/// a (M, K), b (K, N), c (M, N) with columns side by side and rows c_stride apart, bias (N) or null; c overlaps nothing.
struct Gemm {
    int64_t M = 0, N = 0, K = 0;
    float alpha = 1;
    GemmOperand a, b;
    float* c = nullptr;
    int64_t c_stride = 0;
    bool accumulate = false;
    const float* bias = nullptr;
};

/// Products are summed in fp32: k is cut into equal blocks, as few as fit into 384 each; within a block one chain of fused multiply-adds
/// in the order of k, and the blocks are added to c in their order. So an element's bits depend on its row of a, its column of b and K,
/// and not on M, N, its place, the number of threads or the size of the workspace. (AVX2 and AVX-512 agree bit for bit; without AVX2
/// multiply and add round separately.)
void gemm(Stream& stream, const Gemm& problem);

/// Workspace with which gemm runs at its best on `threads` threads for M up to `rows`. It works with less, down to
/// gemm_workspace_bytes(threads, 1), and throws Error(Internal) below that.
int64_t gemm_workspace_bytes(int32_t threads, int64_t rows);

}  // namespace vaccine::ops
