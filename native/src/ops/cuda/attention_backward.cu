// attention_backward on tensor cores. Scores are computed again, once for dk and dv by blocks of keys and once for dq by blocks of
// queries: each result has one writer, so there are no atomics and the order of every sum is fixed.
#include "ops/cuda/attention_backward.cuh"

namespace vaccine::ops::attention {
namespace {

constexpr int kRows = 8, kHeads = 8, kThreads = kHeads * kWarp;

/// A warp has one head of eight rows, four lanes a row, and reads 64 bytes of each at once. The block's part of lse, whose heads lie side
/// by side, is read in whole sectors and handed out through shared memory.
__global__ void __launch_bounds__(kThreads)
    statistics_kernel(const bf16* dout, const bf16* out, const float* lse, RowStatistics to, Layout layout) {
    const int thread = static_cast<int>(threadIdx.x), lane = thread % 4, own_row = thread % kWarp / 4, own_head = thread / kWarp;
    const int64_t first_row = static_cast<int64_t>(blockIdx.x) * kRows;
    const int first_head = static_cast<int>(blockIdx.y) * kHeads;
    __shared__ float tile[kRows * kHeads];
    const auto place = [](int row, int head) { return row * kHeads + (head ^ row / 4); };  // a head's eight rows in different banks
    if (thread < kRows * kHeads) {
        const int row = thread / kHeads, head = thread % kHeads;
        const bool real = first_row + row < layout.tokens && first_head + head < layout.heads;
        tile[place(row, head)] = real ? lse[(first_row + row) * layout.heads + first_head + head] : 0.0f;
    }
    __syncthreads();
    const int64_t row = first_row + own_row;
    const int head = first_head + own_head;
    const bool real = row < layout.tokens && head < layout.heads;  // all lanes take part in the sum
    const int64_t at = real ? (row * layout.heads + head) * layout.head_size : 0;
    float sum = 0;
    for (int column = lane * kChunk; column < layout.head_size; column += 4 * kChunk) {
        const Pack<bf16, kChunk> a = load<kChunk>(dout + at + column), b = load<kChunk>(out + at + column);
#pragma unroll
        for (int i = 0; i < kChunk; ++i) sum = fmaf(a[i], b[i], sum);
    }
    sum = quad_sum(sum);
    if (!real || lane != 0) return;
    to.delta[to.at(layout, head, row)] = sum;
    to.log_sum[to.at(layout, head, row)] = tile[place(own_row, own_head)] * kLog2e;
}

}  // namespace

void launch_statistics(const Call& call, const RowStatistics& statistics) {
    const dim3 grid(static_cast<unsigned>(ceil_div(call.tokens, kRows)), static_cast<unsigned>(ceil_div(call.shape.heads, kHeads)));
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

}  // namespace vaccine::ops::attention
