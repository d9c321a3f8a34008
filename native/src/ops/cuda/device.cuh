// What kernels share: packs of values that one instruction loads or stores, sums over a warp and a block, dispatch by type, launches.
#pragma once
#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include <cstdint>
#include <cstring>
#include <utility>

#include "core/view.h"
#include "ops/cuda/stream.h"

namespace vaccine::ops {

using bf16 = __nv_bfloat16;

constexpr int kWarp = 32;
constexpr int64_t kPackBytes = 16;  // the most that one load or store of a thread moves

__device__ inline float to_float(float value) {
    return value;
}
__device__ inline float to_float(bf16 value) {
    return __bfloat162float(value);
}
template <class T> __device__ T from_float(float value);
template <> __device__ inline float from_float<float>(float value) {
    return value;
}
template <> __device__ inline bf16 from_float<bf16>(float value) {
    return __float2bfloat16_rn(value);
}

/// N neighbouring elements of T, at most 16 bytes, computed on in fp32. Their address is a multiple of their size.
template <class T, int N> struct alignas(sizeof(T) * N) Pack {
    static_assert(sizeof(T) * N <= kPackBytes, "one instruction moves a pack");
    T item[N];

    __device__ float operator[](int i) const { return to_float(item[i]); }
    __device__ void set(int i, float value) { item[i] = from_float<T>(value); }
};

template <int N, class T> __device__ Pack<T, N> load(const T* from) {
    return *reinterpret_cast<const Pack<T, N>*>(from);
}
/// In one instruction. It is spelled out because nvcc takes a pack that was put together from elements apart again and stores those.
template <class T, int N> __device__ void store(T* to, const Pack<T, N>& values) {
    constexpr int kWords = static_cast<int>(sizeof(values)) / 4;
    uint32_t word[kWords > 0 ? kWords : 1];
    if constexpr (kWords > 1) memcpy(word, values.item, sizeof(word));
    if constexpr (kWords == 4)
        asm volatile("st.v4.b32 [%0], {%1, %2, %3, %4};" ::"l"(to), "r"(word[0]), "r"(word[1]), "r"(word[2]), "r"(word[3]) : "memory");
    else if constexpr (kWords == 2)
        asm volatile("st.v2.b32 [%0], {%1, %2};" ::"l"(to), "r"(word[0]), "r"(word[1]) : "memory");
    else
        *reinterpret_cast<Pack<T, N>*>(to) = values;
}

/// The sum over a warp, the same in every lane, in a fixed order. All lanes must call it.
template <class T> __device__ T warp_sum(T value) {
#pragma unroll
    for (int step = kWarp / 2; step > 0; step /= 2) value += __shfl_xor_sync(~0u, value, step);
    return value;
}
__device__ inline float warp_max(float value) {
#pragma unroll
    for (int step = kWarp / 2; step > 0; step /= 2) value = fmaxf(value, __shfl_xor_sync(~0u, value, step));
    return value;
}

/// The sum over a block of THREADS threads, the same in every thread, in a fixed order. All threads must call it.
template <int THREADS, class T> __device__ T block_sum(T value) {
    __shared__ T part[THREADS / kWarp];
    value = warp_sum(value);
    if (threadIdx.x % kWarp == 0) part[threadIdx.x / kWarp] = value;
    __syncthreads();
    T sum = part[0];
#pragma unroll
    for (int warp = 1; warp < THREADS / kWarp; ++warp) sum += part[warp];
    __syncthreads();  // part may be written again by the next call
    return sum;
}

/// f(T{}) with the C++ type of an fp32 or bf16 view.
template <class F> void dispatch(DType type, F f) {
    if (type == DType::BF16)
        f(bf16{});
    else
        f(float{});
}

/// Queues a kernel and throws if it could not be started, or if the pass is to end. `shared`: bytes of dynamic shared memory, which may be
/// more than 48 KB.
template <class... Parameters, class... Arguments> void launch(const char* op, const Stream& stream, void (*kernel)(Parameters...),
                                                               dim3 grid, dim3 block, int64_t shared, Arguments&&... arguments) {
    check_interrupt(stream.interrupt);
    constexpr int64_t kWithoutAsking = 48 << 10;
    if (shared > kWithoutAsking)
        check_cuda(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared)), op);
    kernel<<<grid, block, static_cast<size_t>(shared), queue(stream)>>>(std::forward<Arguments>(arguments)...);
    check_cuda(cudaGetLastError(), op);
}

/// Whether packs of N elements of each view's type may be used on all of them.
template <class... Views> bool aligned_for(int N, const Views&... views) {
    const auto fits = [N](const View& view) {
        return reinterpret_cast<uintptr_t>(view.data) % static_cast<uintptr_t>(N * size_of(view.dtype)) == 0;
    };
    return (fits(views) && ...);
}

}  // namespace vaccine::ops
