// Matrix products of the linear layers: what they may be asked for. gemm_bf16: on tensor cores; gemm_plain: without, any size and type.
#pragma once
#include "core/dtype.h"
#include "ops/cuda/dropout.h"

namespace vaccine::ops {

/// The adapter's share of a product: mask(scale * left right^T) with left (M, rank), right (N, rank) in fp32, which gemm_bf16 takes as two
/// terms of bf16 each. Rank 0: none.
struct LowRank {
    const float *left = nullptr, *right = nullptr;
    int64_t right_row = 0;  // elements between rows of `right` as it lies in memory: (N, rank) in Forward, (rank, N) in InputGradient
    int rank = 0;
    float scale = 1;
    DropoutMask mask;  // over (M, N); in InputGradient only
};

/// Which of a linear layer's products, and so how its operands lie.
enum class GemmKind {
    Forward,         // c = a b^T: a (M, K), b (N, K)
    InputGradient,   // c = a b: a (M, K), b (K, N)
    WeightGradient,  // c = a^T b: a (K, M), b (K, N)
};

/// c = addend + low_rank + product + bias, in bf16 with fp32 accumulation, rounded once to c's type. Every element is summed alike: first
/// the low-rank part, then k ascending in steps of 16, then bias, then addend. So its bits depend on neither M nor the tile.
/// a, b: bf16, 16-byte aligned, rows a multiple of 8 elements apart. N is a multiple of 8, and M and K are where they are contiguous.
struct Gemm {
    int M = 0, N = 0, K = 0;
    const void *a = nullptr, *b = nullptr;
    int64_t a_row = 0, b_row = 0;  // elements between rows in memory
    LowRank low;                   // not in WeightGradient
    const float* bias = nullptr;
    const void* addend = nullptr;  // of c's type and row; may be c
    void* c = nullptr;             // bf16: 4-byte aligned; fp32: 8-byte aligned
    int64_t c_row = 0;
};

/// c_type: bf16 or fp32 in Forward, bf16 in InputGradient, fp32 in WeightGradient.
void gemm_bf16(const char* op, const Stream& stream, GemmKind kind, DType c_type, const Gemm& gemm);

/// The same by whom the stream's choice names (choose_gemm). What cuBLAS does not do, our kernel then adds to its product.
void gemm(const char* op, const Stream& stream, GemmKind kind, DType c_type, const Gemm& gemm);

}  // namespace vaccine::ops
