// One call of attention_forward or attention_backward, as the launchers of both paths take it, and what its kernels see of it.
#pragma once
#include "ops/cuda/soft_cap.cuh"
#include "ops/ops.h"

namespace vaccine::ops::attention {

struct Call {
    const char* op;
    const Stream& stream;
    AttentionShape shape;
    int64_t tokens, samples, longest;
    View offsets, q, k, v, out, lse;
    View dout, dq, dk, dv, delta;  // of attention_backward

    int64_t group() const { return shape.heads / shape.kv_heads; }
};

/// Whether the tensor-core kernels can take the call: bf16, a head size (and a cap) that they are compiled for, rows that 16-byte copies
/// reach.
bool fits_tensor_cores(const Call& call);
void forward_tensor(const Call& call);
void backward_tensor(const Call& call);
/// Everything else.
void forward_plain(const Call& call);
void backward_plain(const Call& call);

/// The part of the shape that kernels need beside pointers.
struct Layout {
    const int32_t* offsets;
    int64_t tokens;
    int heads, kv_heads, head_size, window;  // window: beyond every sample where there is none
    float scale;
    SoftCap cap;  // of the scaled scores

    explicit Layout(const Call& call)
        : offsets(call.offsets.as<int32_t>()),
          tokens(call.tokens),
          heads(static_cast<int>(call.shape.heads)),
          kv_heads(static_cast<int>(call.shape.kv_heads)),
          head_size(static_cast<int>(call.shape.head_size)),
          window(static_cast<int>(call.shape.window > 0 && call.shape.window < kNoWindow ? call.shape.window : kNoWindow)),
          scale(call.shape.scale),
          cap{call.shape.cap} {}

    static constexpr int64_t kNoWindow = 1 << 30;  // rows are counted in int32

    /// Query and key count from their sample's start. The keys that a query sees are first_key(query) .. query.
    __device__ int first_key(int query) const { return query >= window ? query - window + 1 : 0; }
    __device__ bool sees(int query, int key) const { return key <= query && query - key < window; }
    /// One behind the last query of a sample that sees the key.
    __device__ int end_of_queries(int key, int length) const { return length - key > window ? key + window : length; }
};

struct Sample {
    int64_t first;  // row of the batch
    int length;

    __device__ Sample(const int32_t* offsets, unsigned index) : first(offsets[index]), length(offsets[index + 1] - offsets[index]) {}
};

}  // namespace vaccine::ops::attention
