// Products without tensor cores, of any size, type, stride and alignment: fp32 activations, and what gemm_bf16 cannot take.
#pragma once
#include "core/view.h"
#include "ops/cuda/dropout.h"

namespace vaccine::ops {

/// One side of a product: element (i, k) lies at data[i * row + k * step].
struct PlainOperand {
    const void* data = nullptr;
    bool bf16 = false;
    bool rounds = false;  // to bf16 after `factor`: as the tensor cores see it
    int64_t row = 0, step = 0;
    float factor = 1;
    DropoutMask mask;  // by the element's place in memory; what is kept is not scaled

    bool empty() const { return data == nullptr; }
};

/// (i, k) is view(i, k), or view(k, i).
PlainOperand plain(const View& view);
PlainOperand transposed(const View& view);

/// c = alpha * (low_mask(low_a low_b^T) + a b^T) + bias + addend. Each sum is over k ascending, one fp32 fma a step; `low` may be empty.
struct PlainGemm {
    int64_t M = 0, N = 0, K = 0, low_K = 0;
    PlainOperand a, b, low_a, low_b;
    DropoutMask low_mask;
    float alpha = 1;
    const float* bias = nullptr;
    const void* addend = nullptr;  // of c's type and shape; may be c
    void* c = nullptr;
    bool c_bf16 = false;
};
void gemm_plain(const char* op, const Stream& stream, const PlainGemm& gemm);

}  // namespace vaccine::ops
