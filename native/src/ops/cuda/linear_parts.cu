#include "ops/cuda/linear_parts.h"

#include "ops/cuda/device.cuh"

namespace vaccine::ops {
namespace {

constexpr int kPack = 4;
constexpr int kColumnThreads = 32, kRowThreads = 8;

/// A pack a thread. from and to are aligned for packs, columns a multiple of them.
template <class T> __global__ void __launch_bounds__(256)
    round_kernel(int64_t packs, int64_t row_packs, const T* from, int64_t from_row, bf16* to) {
    const int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
    if (i >= packs) return;
    const Pack<T, kPack> value = load<kPack>(from + i / row_packs * from_row + i % row_packs * kPack);
    Pack<bf16, kPack> rounded;
#pragma unroll
    for (int e = 0; e < kPack; ++e) rounded.set(e, value[e]);
    store(to + i * kPack, rounded);
}

template <class T> __global__ void __launch_bounds__(kColumnThreads* kRowThreads)
    column_sums(int64_t rows, int64_t columns, const T* x, float* sums) {
    __shared__ float part[kRowThreads][kColumnThreads];
    const int64_t column = int64_t{blockIdx.x} * kColumnThreads + threadIdx.x;
    float sum = 0;
    if (column < columns)
        for (int64_t row = threadIdx.y; row < rows; row += kRowThreads) sum += to_float(x[row * columns + column]);
    part[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y > 0 || column >= columns) return;
    for (int i = 1; i < kRowThreads; ++i) sum += part[i][threadIdx.x];
    sums[column] += sum;
}

}  // namespace

void round_to_bf16(const char* op, const Stream& stream, const View& from, int64_t first_column, int64_t columns, void* to) {
    const int64_t packs = from.rows * columns / kPack;
    if (packs == 0) return;
    dispatch(from.dtype, [&](auto zero) {
        using T = decltype(zero);
        launch(op, stream, round_kernel<T>, dim3(static_cast<unsigned>(ceil_div(packs, 256))), 256, 0, packs, columns / kPack,
               from.as<T>() + first_column, from.columns, static_cast<bf16*>(to));
    });
}

void add_column_sums(const char* op, const Stream& stream, const View& x, const View& sums) {
    if (x.rows == 0) return;
    dispatch(x.dtype, [&](auto zero) {
        using T = decltype(zero);
        launch(op, stream, column_sums<T>, dim3(static_cast<unsigned>(ceil_div(x.columns, kColumnThreads))),
               dim3(kColumnThreads, kRowThreads), 0, x.rows, x.columns, x.as<T>(), sums.as<float>());
    });
}

}  // namespace vaccine::ops
