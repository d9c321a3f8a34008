// The instructions of the tensor cores' path, a function each: asynchronous copies, matrix loads, matrix products.
//
// Fragments of one mma, kMmaM x kMmaN of c and kMmaK in k, with g = lane / 4 and q = lane % 4 (PTX ISA, mma.m16n8k16): two neighbours in k
// share a register.
//   a (16 x 16)  a[0]: row g, k 2q..2q+1    a[1]: row g+8    a[2]: row g, k 2q+8..    a[3]: row g+8, k 2q+8..
//   b (16 x 8)   b[0]: k 2q..2q+1, column g    b[1]: k 2q+8..
//   c (16 x 8)   c[0], c[1]: row g, columns 2q, 2q+1    c[2], c[3]: row g+8
#pragma once
#include "ops/cuda/device.cuh"

namespace vaccine::ops {

constexpr int kMmaM = 16, kMmaN = 8, kMmaK = 16;

/// Two fp32 rounded to bf16, the first in the lower half.
__device__ inline uint32_t pack_bf16(float low, float high) {
    const __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
    return *reinterpret_cast<const uint32_t*>(&pair);
}
__device__ inline float low_bf16(uint32_t pair) {
    return __uint_as_float(pair << 16);
}
__device__ inline float high_bf16(uint32_t pair) {
    return __uint_as_float(pair & 0xFFFF0000u);
}

/// Two fp32 as two terms of bf16 each, within 2^-16 of themselves: the number rounded, and what that leaves, rounded.
struct SplitPair {
    uint32_t rounded, rest;
};
__device__ inline SplitPair split_bf16(float low, float high) {
    const uint32_t rounded = pack_bf16(low, high);
    return {rounded, pack_bf16(low - low_bf16(rounded), high - high_bf16(rounded))};
}

__device__ inline uint32_t shared_address(const void* shared) {
    return static_cast<uint32_t>(__cvta_generic_to_shared(shared));
}

/// 16 bytes from global to shared memory, past the first-level cache: a tile is read once per block.
__device__ inline void cp_async(uint32_t shared, const void* global) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(shared), "l"(global));
}
/// Zeros unless `wanted`; then `global` is not read.
__device__ inline void cp_async_zfill(uint32_t shared, const void* global, bool wanted) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared), "l"(global), "r"(wanted ? 16 : 0));
}
/// The same with 4 bytes.
__device__ inline void cp_async_4_zfill(uint32_t shared, const void* global, bool wanted) {
    asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(shared), "l"(global), "r"(wanted ? 4 : 0));
}
__device__ inline void cp_async_commit() {
    asm volatile("cp.async.commit_group;");
}
/// Waits for this thread's copies but the last PENDING groups.
template <int PENDING> __device__ void cp_async_wait() {
    asm volatile("cp.async.wait_group %0;" ::"n"(PENDING) : "memory");
}

/// Four 8x8 matrices of bf16; lanes 8i .. 8i+7 give the addresses of matrix i's rows. TRANSPOSED: of their columns.
template <bool TRANSPOSED> __device__ void ldmatrix_x4(uint32_t (&to)[4], uint32_t shared) {
    if constexpr (TRANSPOSED)
        asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                     : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                     : "r"(shared));
    else
        asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                     : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                     : "r"(shared));
}

/// c += a b
__device__ inline void mma_m16n8k16(float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

}  // namespace vaccine::ops
