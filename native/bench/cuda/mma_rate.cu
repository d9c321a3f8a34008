// What the tensor cores reach by mma.sync where nothing else is in the way: operands stay in registers.
#include "ops/cuda/mma.cuh"
#include "timing.h"

namespace vaccine::bench {
namespace {

constexpr int kThreads = 256, kAccumulators = 16, kSteps = 4096, kBlocksEach = 2;

__global__ void __launch_bounds__(kThreads, kBlocksEach) mma_kernel(uint32_t bits, float* out) {
    float sum[kAccumulators][4] = {};
    // Numbers near one with some bits of the lane's own: what switches no bits takes less power, and clocks are higher.
    const uint32_t own = bits ^ (threadIdx.x * 0x9E3779B9u & 0x007F007Fu);
    const uint32_t a[4] = {own, own ^ 0x00150033u, own ^ 0x80008000u, own ^ 0x0042800Fu};
#pragma unroll 4
    for (int step = 0; step < kSteps; ++step)
#pragma unroll
        for (int i = 0; i < kAccumulators; ++i) ops::mma_m16n8k16(sum[i], a, own ^ 0x80000000u, own);
    float total = 0;
#pragma unroll
    for (int i = 0; i < kAccumulators; ++i) total += sum[i][0] + sum[i][1] + sum[i][2] + sum[i][3];
    out[blockIdx.x * kThreads + threadIdx.x] = total;
}

}  // namespace

double mma_rate(const Stream& stream, int multiprocessors) {
    const int blocks = multiprocessors * kBlocksEach;
    float* out = nullptr;
    ops::check_cuda(cudaMalloc(&out, static_cast<size_t>(blocks) * kThreads * sizeof(float)), "cudaMalloc");
    const double seconds =
        seconds_of(stream, {[&] { ops::launch("mma_rate", stream, mma_kernel, blocks, kThreads, 0, 0x3F803F80u, out); }});
    cudaFree(out);
    return 2.0 * 16 * 8 * 16 * kAccumulators * kSteps * (kThreads / ops::kWarp) * blocks / seconds;
}

}  // namespace vaccine::bench
