// attention_backward on tensor cores. Scores are computed again, once for dk and dv by blocks of keys and once for dq by blocks of
// queries: each result has one writer, so there are no atomics and the order of every sum is fixed.
#include "ops/cuda/attention_backward.cuh"

namespace nv::ops::attention {
namespace {

constexpr int kThreads = 256;

/// Four lanes a row; a warp reads eight rows, 64 bytes of each at once.
__global__ void __launch_bounds__(kThreads)
    statistics_kernel(const bf16* dout, const bf16* out, const float* lse, RowStatistics to, Layout layout) {
    const int64_t row = static_cast<int64_t>(blockIdx.x) * (kThreads / 4) + threadIdx.x / 4;
    const int head = static_cast<int>(blockIdx.y), lane = static_cast<int>(threadIdx.x) % 4;
    const bool real = row < layout.tokens;  // all lanes take part in the sum
    const int64_t at = ((real ? row : 0) * layout.heads + head) * layout.head_size;
    float sum = 0;
    for (int column = lane * kChunk; column < layout.head_size; column += 4 * kChunk) {
        const Pack<bf16, kChunk> a = load<kChunk>(dout + at + column), b = load<kChunk>(out + at + column);
#pragma unroll
        for (int i = 0; i < kChunk; ++i) sum = fmaf(a[i], b[i], sum);
    }
    sum = quad_sum(sum);
    if (!real || lane != 0) return;
    to.delta[to.at(layout, head, row)] = sum;
    to.log_sum[to.at(layout, head, row)] = lse[row * layout.heads + head] * kLog2e;
}

}  // namespace

void launch_statistics(const Call& call, const RowStatistics& statistics) {
    const dim3 grid(static_cast<unsigned>(divide_up(call.tokens, kThreads / 4)), static_cast<unsigned>(call.shape.heads));
    launch(call.op, call.stream, statistics_kernel, grid, kThreads, 0, call.dout.as<bf16>(), call.out.as<bf16>(), call.lse.as<float>(),
           statistics, Layout(call));
}

void backward_tensor(const Call& call) {
    const RowStatistics statistics{workspace<float>(call.stream, call.op, call.tokens * call.shape.heads), call.delta.as<float>()};
    const BackwardPointers pointers{call.q.as<bf16>(),  call.k.as<bf16>(),  call.v.as<bf16>(),  call.dout.as<bf16>(),
                                    call.dq.as<bf16>(), call.dk.as<bf16>(), call.dv.as<bf16>(), statistics};
    launch_statistics(call, statistics);
    launch_key_gradients(call, pointers);
    launch_query_gradients(call, pointers);
}

}  // namespace nv::ops::attention
