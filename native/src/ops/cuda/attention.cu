// attention_forward and attention_backward: checks, and which kernels take a call.
#include "ops/checks.h"
#include "ops/cuda/attention_call.cuh"
#include "ops/cuda/attention_tensor.cuh"

namespace vaccine::ops {

namespace attention {

bool fits_tensor_cores(const Call& call) {
    if (call.q.dtype != DType::BF16 || !dispatch_kernel(call.shape, [](auto, auto) {})) return false;
    const auto aligned = [](const View& view) { return view.empty() || aligned_for(kChunk, view); };
    for (const View& view : {call.q, call.k, call.v, call.out, call.dout, call.dq, call.dk, call.dv})
        if (!aligned(view)) return false;
    return call.shape.scale > 0;  // the largest score is found before scaling
}

}  // namespace attention

namespace {

/// The rules that both directions share. What offsets hold is in the device's memory: the caller has checked it.
void check_call(const Check& check, const attention::Call& call) {
    check_attention_shape(check, call.shape);
    const int64_t T = call.tokens, wide = call.shape.heads * call.shape.head_size, narrow = call.shape.kv_heads * call.shape.head_size;
    check.activation("q", call.q);
    check.matrix("q", call.q, call.q.dtype, T, wide);
    check.matrix("k", call.k, call.q.dtype, T, narrow);
    check.matrix("v", call.v, call.q.dtype, T, narrow);
    check.matrix("out", call.out, call.q.dtype, T, wide);
    check.matrix("lse", call.lse, DType::F32, T, call.shape.heads);
    check.that(call.offsets.count() >= 1, "offsets", "B+1 elements", call.offsets.count());
    check.vector("offsets", call.offsets, DType::I32, call.offsets.count());
    check.that(call.longest > 0 || T == 0, "longest", "a positive number", call.longest);
}

}  // namespace

void attention_forward(Stream& stream, View q, View k, View v, View offsets, int64_t longest, const AttentionShape& shape, View out,
                       View lse) {
    const attention::Call call{
        "attention_forward", stream, shape, q.rows, offsets.count() - 1, longest, offsets, q, k, v, out, lse, {}, {}, {}, {}, {}};
    check_call(Check(call.op), call);
    if (call.tokens == 0) return;
    attention::fits_tensor_cores(call) ? attention::forward_tensor(call) : attention::forward_plain(call);
}

void attention_backward(Stream& stream, View dout, View q, View k, View v, View out, View lse, View offsets, int64_t longest,
                        const AttentionShape& shape, View dq, View dk, View dv, View delta) {
    const attention::Call call{
        "attention_backward", stream, shape, q.rows, offsets.count() - 1, longest, offsets, q, k, v, out, lse, dout, dq, dk, dv, delta};
    const Check check(call.op);
    check_call(check, call);
    check.matrix("dout", dout, q.dtype, q.rows, q.columns);
    check.matrix("dq", dq, q.dtype, q.rows, q.columns);
    check.matrix("dk", dk, q.dtype, k.rows, k.columns);
    check.matrix("dv", dv, q.dtype, v.rows, v.columns);
    check.matrix("delta", delta, DType::F32, q.rows, shape.heads);
    if (call.tokens == 0) return;
    attention::fits_tensor_cores(call) ? attention::backward_tensor(call) : attention::backward_plain(call);
}

}  // namespace vaccine::ops
