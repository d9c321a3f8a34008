// The three kernels of attention_backward on tensor cores, in the order they run.
#pragma once
#include "ops/cuda/attention_tensor.cuh"

namespace vaccine::ops::attention {

/// What the forward pass left of a query's softmax, head by head: (NH, T).
struct RowStatistics {
    float* log_sum;  // lse * log2 e
    float* delta;    // sum over HD of dout * out

    __device__ int64_t at(const Layout& layout, int head, int64_t row) const { return head * layout.tokens + row; }
};

struct BackwardPointers {
    const bf16 *q, *k, *v, *dout;
    bf16 *dq, *dk, *dv;
    RowStatistics statistics;
};

void launch_statistics(const Call& call, const RowStatistics& statistics);
void launch_key_gradients(const Call& call, const BackwardPointers& pointers);    // dk, dv
void launch_query_gradients(const Call& call, const BackwardPointers& pointers);  // dq

}  // namespace vaccine::ops::attention
