// Seeded faults: each kernel runs whole, and then with one thing broken. Whole it must pass; broken it must be reported.
#include <cassert>

#include "checking.h"

namespace {

using checking::Buffer;

constexpr unsigned kAll = 0xFFFFFFFF;

__device__ unsigned shared_address(const void* pointer) {
    return static_cast<unsigned>(__cvta_generic_to_shared(pointer));
}
__device__ void cp_async(void* to, const void* from) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(shared_address(to)), "l"(from) : "memory");
}
__device__ void commit() {
    asm volatile("cp.async.commit_group;" ::: "memory");
}
template <int LEFT> __device__ void wait() {
    asm volatile("cp.async.wait_group %0;" ::"n"(LEFT) : "memory");
}

template <bool BROKEN> __global__ void store_outside(float* out, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (BROKEN ? i <= n : i < n) out[i] = i;
}
template <bool BROKEN> __global__ void load_outside(const float* in, float* out, int n) {
    const int i = threadIdx.x;
    if (i < n) out[i] = in[BROKEN ? i + 1 : i];
}
template <bool BROKEN> __global__ void shared_outside(float* out) {
    extern __shared__ float dynamic[];
    dynamic[threadIdx.x] = threadIdx.x;
    __syncthreads();
    out[threadIdx.x] = dynamic[BROKEN ? threadIdx.x + 1 : 63 - threadIdx.x];
}
template <bool BROKEN> __global__ void local_outside(float* out, int n) {
    float local[8];
    for (int i = 0; i < 8; ++i) local[i] = threadIdx.x * i;
    out[threadIdx.x] = local[BROKEN ? n : n - 1];
}
template <bool BROKEN> __global__ void global_misaligned(const float* in, float* out) {
    const float* from = in + 4 * threadIdx.x + BROKEN;
    float a, b, c, d;
    asm volatile("ld.global.v4.f32 {%0,%1,%2,%3}, [%4];" : "=f"(a), "=f"(b), "=f"(c), "=f"(d) : "l"(from));
    out[threadIdx.x] = a + b + c + d;
}
template <bool BROKEN> __global__ void shared_misaligned(float* out) {
    __shared__ __align__(16) float s[36];
    s[threadIdx.x] = 1;
    if (threadIdx.x < 4) s[32 + threadIdx.x] = 1;
    __syncwarp();
    float a, b;
    asm volatile("ld.shared.v2.f32 {%0,%1}, [%2];" : "=f"(a), "=f"(b) : "r"(shared_address(s + 2 * (threadIdx.x % 8) + BROKEN)));
    out[threadIdx.x] = a + b;
}
__global__ void copy(const float* in, float* out) {
    out[threadIdx.x] = in[threadIdx.x];
}
template <bool BROKEN> __global__ void shared_never_written(float* out) {
    __shared__ float s[64];
    if (!BROKEN || threadIdx.x < 32) s[threadIdx.x] = 1;
    __syncthreads();
    out[threadIdx.x] = s[threadIdx.x];
}
template <bool BROKEN> __global__ void local_never_written(float* out, int n) {
    volatile float local[8];
    for (int i = 0; i < (BROKEN ? n : n + 1); ++i) local[i] = i;
    out[threadIdx.x] = local[n];
}
__constant__ float constants[32];
__global__ void store_and_use_constant(float* to, float* out) {
    to[threadIdx.x] = 1;
    out[32 + threadIdx.x] = constants[threadIdx.x];
}
float* address_of_constants() {
    void* address = nullptr;
    checking::ok(cudaGetSymbolAddress(&address, constants));
    return static_cast<float*>(address);
}

template <bool BROKEN> __global__ void read_too_early(float* out) {
    __shared__ float s[64];
    s[threadIdx.x] = threadIdx.x;
    if (!BROKEN) __syncthreads();
    out[threadIdx.x] = s[(threadIdx.x + 32) % 64];
}
template <bool BROKEN> __global__ void write_too_early(float* out) {
    __shared__ float s[64];
    float sum = 0;
    for (int i = 0; i < 3; ++i) {
        s[threadIdx.x] = threadIdx.x + i;
        __syncthreads();
        sum += s[(threadIdx.x + 32) % 64];
        if (!BROKEN) __syncthreads();
    }
    out[threadIdx.x] = sum;
}
template <bool BROKEN> __global__ void lanes_without_sync(float* out) {
    __shared__ float s[32];
    s[threadIdx.x] = threadIdx.x;
    if (!BROKEN) __syncwarp();
    out[threadIdx.x] = s[31 - threadIdx.x];
}
template <bool BROKEN> __global__ void shuffle_is_no_sync(float* out) {
    __shared__ float s[32];
    s[threadIdx.x] = threadIdx.x;
    const float other = __shfl_xor_sync(kAll, 1.0f, 1);
    if (!BROKEN) __syncwarp();
    out[threadIdx.x] = s[31 - threadIdx.x] + other;
}
template <bool BROKEN> __global__ void lanes_store_differently(float* out) {
    __shared__ float s[32];
    s[BROKEN ? 0 : threadIdx.x] = threadIdx.x;
    __syncwarp();
    out[threadIdx.x] = s[0];
}

template <bool BROKEN> __global__ void barrier_in_half_a_warp(float* out) {
    if (!BROKEN || threadIdx.x < 40) asm volatile("bar.sync 0; // here" ::: "memory");
    else asm volatile("bar.sync 0; // there" ::: "memory");
    out[threadIdx.x] = 1;
}
template <bool BROKEN> __global__ void barrier_after_exit(float* out) {
    if (BROKEN && threadIdx.x >= 32) return;
    __syncthreads();
    out[threadIdx.x] = 1;
}
template <bool BROKEN> __global__ void different_barriers(float* out) {
    if (BROKEN && threadIdx.x >= 32) asm volatile("bar.sync 1, 64;" ::: "memory");
    else asm volatile("bar.sync 2, 64;" ::: "memory");
    out[threadIdx.x] = 1;
}
template <bool BROKEN> __global__ void shuffle_in_half_a_warp(float* out) {
    float v = threadIdx.x;
    if (threadIdx.x < 16) v = __shfl_xor_sync(BROKEN ? kAll : 0xFFFF, v, 1);
    out[threadIdx.x] = v;
}
template <bool BROKEN> __global__ void shuffle_from_outside(float* out) {
    float v = threadIdx.x;
    if (threadIdx.x < 16) v = __shfl_xor_sync(0xFFFF, v, BROKEN ? 16 : 8);
    out[threadIdx.x] = v;
}
template <bool BROKEN> __global__ void mask_without_itself(unsigned* out) {
    if (threadIdx.x < 17) out[threadIdx.x] = __ballot_sync(BROKEN ? 0xFFFF : 0x1FFFF, 1);
}
template <bool BROKEN> __global__ void vote_after_exit(unsigned* out) {
    if (threadIdx.x == 31) return;
    out[threadIdx.x] = __ballot_sync(BROKEN ? kAll : 0x7FFFFFFF, 1);
}
template <bool BROKEN> __global__ void tensor_product_in_half_a_warp(float* out) {
    float c[4] = {};
    const unsigned a = 0, b = 0;
    if (!BROKEN || threadIdx.x < 16)
        asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%4,%4,%4}, {%5,%5}, {%0,%1,%2,%3};"
                     : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                     : "r"(a), "r"(b));
    out[threadIdx.x] = c[0];
}
template <bool BROKEN> __global__ void matrix_row_misaligned(unsigned* out) {
    __shared__ __align__(16) unsigned s[64];
    s[threadIdx.x] = s[threadIdx.x + 32] = threadIdx.x;
    __syncwarp();
    unsigned d;
    asm volatile("ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%0}, [%1];" : "=r"(d) : "r"(shared_address(s + 4 * (threadIdx.x % 8) + 2 * BROKEN)));
    out[threadIdx.x] = d;
}

template <bool BROKEN> __global__ void blocks_store_in_one_place(float* out) {
    out[(BROKEN ? 0 : blockIdx.x * 32) + threadIdx.x] = blockIdx.x;
}
template <bool BROKEN> __global__ void blocks_read_each_other(float* out) {
    out[blockIdx.x * 32 + threadIdx.x] = blockIdx.x;
    const float other = out[(BROKEN ? blockIdx.x ^ 1 : blockIdx.x) * 32 + threadIdx.x];
    out[blockIdx.x * 32 + threadIdx.x] = other + 1;
}
template <bool BROKEN> __global__ void atomic_beside_store(float* out) {
    if (BROKEN && blockIdx.x == 1) out[threadIdx.x] = 1;
    else atomicAdd(out + threadIdx.x, 1.0f);
}
/// The last block to finish adds up what the others have left.
template <bool BROKEN> __global__ void last_block_adds(float* parts, unsigned* counter, float* out) {
    __shared__ bool last;
    if (threadIdx.x == 0) {
        parts[blockIdx.x] = blockIdx.x;
        if (!BROKEN) __threadfence();
        last = atomicAdd(counter, 1) == gridDim.x - 1;
    }
    __syncthreads();
    if (!last || threadIdx.x != 0) return;
    float sum = 0;
    for (unsigned i = 0; i < gridDim.x; ++i) sum += parts[i];
    *out = sum;
}

template <bool BROKEN> __global__ void wait_too_short(const float4* in, float* out) {
    __shared__ float4 s[64];
    cp_async(&s[threadIdx.x], in + threadIdx.x);
    commit();
    wait<BROKEN ? 1 : 0>();
    __syncthreads();
    out[threadIdx.x] = s[63 - threadIdx.x].x;
    wait<0>();
}
template <bool BROKEN> __global__ void never_waited_for(const float4* in) {
    __shared__ float4 s[64];
    cp_async(&s[threadIdx.x], in + threadIdx.x);
    commit();
    if (!BROKEN) wait<0>();
}
template <bool BROKEN> __global__ void wait_without_barrier(const float4* in, float* out) {
    __shared__ float4 s[64];
    cp_async(&s[threadIdx.x], in + threadIdx.x);
    commit();
    wait<0>();
    if (!BROKEN) __syncthreads();
    out[threadIdx.x] = s[(threadIdx.x + 32) % 64].x;
}
/// A stage is filled again while slower warps still read it: the copy may land at once.
template <bool BROKEN> __global__ void stage_filled_too_early(const float4* in, float* out) {
    __shared__ float4 s[64];
    float sum = 0;
    for (int i = 0; i < 3; ++i) {
        cp_async(&s[threadIdx.x], in + threadIdx.x);
        commit();
        wait<0>();
        __syncthreads();
        sum += s[(threadIdx.x + 32) % 64].x;
        if (!BROKEN) __syncthreads();
    }
    out[threadIdx.x] = sum;
}

template <bool BROKEN> __global__ void failing_assertion(float* out) {
    assert(!BROKEN || threadIdx.x != 3);
    out[threadIdx.x] = 1;
}
/// Waits for a flag that nobody sets.
template <bool BROKEN> __global__ void wait_for_ever(volatile unsigned* flag, float* out) {
    while (*flag == (BROKEN ? 0 : 1)) {}
    out[threadIdx.x] = 1;
}
__global__ void dynamic_shared(float* out) {
    extern __shared__ float dynamic[];
    dynamic[threadIdx.x] = threadIdx.x;
    out[threadIdx.x] = dynamic[threadIdx.x];
}

struct Case {
    const char* name;
    const char* fault;
    std::function<void(bool broken)> run;
};

/// A kernel template with its two faces.
#define LAUNCH(kernel, grid, block, shared, ...)                           \
    do {                                                                   \
        if (broken) kernel<true><<<grid, block, shared>>>(__VA_ARGS__);    \
        else kernel<false><<<grid, block, shared>>>(__VA_ARGS__);          \
    } while (false)

std::vector<Case> memory_cases() {
    static Buffer<float> out(4096), in(std::vector<float>(4096, 1.0f));
    return {
        {"store_outside", "out-of-bounds", [](bool broken) { Buffer<float> small(256); LAUNCH(store_outside, 3, 128, 0, small.data(), 256); }},
        {"load_outside", "out-of-bounds", [](bool broken) { Buffer<float> small(std::vector<float>(32, 1)); LAUNCH(load_outside, 1, 32, 0, small.data(), out.data(), 32); }},
        {"shared_outside", "out-of-bounds", [](bool broken) { LAUNCH(shared_outside, 1, 64, 256, out.data()); }},
        {"local_outside", "out-of-bounds", [](bool broken) { LAUNCH(local_outside, 1, 32, 0, out.data(), 8); }},
        {"global_misaligned", "misaligned", [](bool broken) { LAUNCH(global_misaligned, 1, 32, 0, in.data(), out.data()); }},
        {"shared_misaligned", "misaligned", [](bool broken) { LAUNCH(shared_misaligned, 1, 32, 0, out.data()); }},
        {"matrix_row_misaligned", "misaligned", [](bool broken) { LAUNCH(matrix_row_misaligned, 1, 32, 0, reinterpret_cast<unsigned*>(out.data())); }},
        {"use_after_free", "use-after-free", [](bool broken) { Buffer<float> b(std::vector<float>(32, 1)); copy<<<1, 32>>>(broken ? b.lose() : b.data(), out.data()); }},
        {"global_never_written", "never-written", [](bool broken) { Buffer<float> b(32); if (!broken) cudaMemset(b.data(), 0, 128); copy<<<1, 32>>>(b.data(), out.data()); }},
        {"shared_never_written", "never-written", [](bool broken) { LAUNCH(shared_never_written, 1, 64, 0, out.data()); }},
        {"local_never_written", "never-written", [](bool broken) { LAUNCH(local_never_written, 1, 32, 0, out.data(), 5); }},
        {"store_constant", "read-only", [](bool broken) { store_and_use_constant<<<1, 32>>>(broken ? address_of_constants() : out.data(), out.data()); }},
        {"free_twice", "host", [](bool broken) { float* p; cudaMalloc(reinterpret_cast<void**>(&p), 64); cudaFree(p); if (broken) cudaFree(p); }},
        {"copy_outside", "host", [](bool broken) { std::vector<float> h(33); Buffer<float> b(32); cudaMemcpy(b.data(), h.data(), broken ? 132 : 128, cudaMemcpyHostToDevice); }},
    };
}

std::vector<Case> order_cases() {
    static Buffer<float> out(4096);
    static Buffer<float4> in(std::vector<float4>(64));
    static auto* words = reinterpret_cast<unsigned*>(out.data());
    return {
        {"read_too_early", "shared-race", [](bool broken) { LAUNCH(read_too_early, 1, 64, 0, out.data()); }},
        {"write_too_early", "shared-race", [](bool broken) { LAUNCH(write_too_early, 1, 64, 0, out.data()); }},
        {"lanes_without_sync", "lane-race", [](bool broken) { LAUNCH(lanes_without_sync, 1, 32, 0, out.data()); }},
        {"shuffle_is_no_sync", "lane-race", [](bool broken) { LAUNCH(shuffle_is_no_sync, 1, 32, 0, out.data()); }},
        {"lanes_store_differently", "lane-race", [](bool broken) { LAUNCH(lanes_store_differently, 1, 32, 0, out.data()); }},
        {"barrier_in_half_a_warp", "divergent-barrier", [](bool broken) { LAUNCH(barrier_in_half_a_warp, 1, 64, 0, out.data()); }},
        {"barrier_after_exit", "missing-at-barrier", [](bool broken) { LAUNCH(barrier_after_exit, 1, 64, 0, out.data()); }},
        {"different_barriers", "missing-at-barrier", [](bool broken) { LAUNCH(different_barriers, 1, 64, 0, out.data()); }},
        {"shuffle_in_half_a_warp", "warp-mask", [](bool broken) { LAUNCH(shuffle_in_half_a_warp, 1, 32, 0, out.data()); }},
        {"shuffle_from_outside", "warp-mask", [](bool broken) { LAUNCH(shuffle_from_outside, 1, 32, 0, out.data()); }},
        {"mask_without_itself", "warp-mask", [](bool broken) { LAUNCH(mask_without_itself, 1, 32, 0, words); }},
        {"vote_after_exit", "warp-mask", [](bool broken) { LAUNCH(vote_after_exit, 1, 32, 0, words); }},
        {"tensor_product_in_half_a_warp", "warp-mask", [](bool broken) { LAUNCH(tensor_product_in_half_a_warp, 1, 32, 0, out.data()); }},
        {"blocks_store_in_one_place", "global-race", [](bool broken) { LAUNCH(blocks_store_in_one_place, 4, 32, 0, out.data()); }},
        {"blocks_read_each_other", "global-race", [](bool broken) { cudaMemset(out.data(), 0, out.bytes()); LAUNCH(blocks_read_each_other, 4, 32, 0, out.data()); }},
        {"atomic_beside_store", "global-race", [](bool broken) { cudaMemset(out.data(), 0, out.bytes()); LAUNCH(atomic_beside_store, 4, 32, 0, out.data()); }},
        {"last_block_adds", "global-race", [](bool broken) { cudaMemset(out.data(), 0, out.bytes()); LAUNCH(last_block_adds, 8, 32, 0, out.data(), words + 100, out.data() + 200); }},
        {"wait_too_short", "copy-pending", [](bool broken) { LAUNCH(wait_too_short, 1, 64, 0, in.data(), out.data()); }},
        {"never_waited_for", "copy-pending", [](bool broken) { LAUNCH(never_waited_for, 1, 64, 0, in.data()); }},
        {"wait_without_barrier", "shared-race", [](bool broken) { LAUNCH(wait_without_barrier, 1, 64, 0, in.data(), out.data()); }},
        {"stage_filled_too_early", "shared-race", [](bool broken) { LAUNCH(stage_filled_too_early, 1, 64, 0, in.data(), out.data()); }},
        {"failing_assertion", "trap", [](bool broken) { LAUNCH(failing_assertion, 1, 32, 0, out.data()); }},
        {"wait_for_ever", "endless", [](bool broken) { cudaMemset(words + 100, 0, 4); LAUNCH(wait_for_ever, 1, 32, 0, words + 100, out.data()); }},
        {"too_many_threads", "launch", [](bool broken) { dynamic_shared<<<1, broken ? 1025 : 1024, 4096>>>(out.data()); }},
        {"shared_memory_not_asked_for", "launch", [](bool broken) { dynamic_shared<<<1, 32, broken ? 49153 : 49152>>>(out.data()); }},
        {"shared_memory_of_the_card", "launch", [](bool broken) {
             const int most = 101376;
             checking::ok(cudaFuncSetAttribute(dynamic_shared, cudaFuncAttributeMaxDynamicSharedMemorySize, most));
             checking::check(cudaFuncSetAttribute(dynamic_shared, cudaFuncAttributeMaxDynamicSharedMemorySize, most + 1) != cudaSuccess, "more than sm_86 has");
             cudaGetLastError();
             dynamic_shared<<<1, 32, broken ? most + 4 : most>>>(out.data());
         }},
    };
}

void run(const Case& each) {
    for (const bool broken : {false, true}) {
        checking::take_faults();
        each.run(broken);
        const bool failed = cudaGetLastError() != cudaSuccess || cudaDeviceSynchronize() != cudaSuccess;
        const std::set<std::string> faults = checking::take_faults();
        std::string list;
        for (const std::string& fault : faults) list += " " + fault;
        // One mistake may show in several ways: what is read too early is also read before it was written.
        checking::check(broken ? faults.count(each.fault) != 0 : faults.empty(), std::string(broken ? "broken, it is to give " : "whole, it is to give no fault ") + each.fault + "; reported:" + list);
        checking::check(failed == broken, "the runtime's error does not say so");
    }
}

}  // namespace

int main() {
    std::vector<checking::Test> tests;
    for (const auto& cases : {memory_cases(), order_cases()})
        for (const Case& each : cases) tests.push_back({each.name, [each] { run(each); }});
    return checking::run_all("ptxmachine_faults", tests);
}
