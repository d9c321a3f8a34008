// A CUDA runtime with something wrong, for tests: linked or preloaded before the real one, it passes every call on but those of the fault
// that FAULTY_CUDART (or faulty_cudart_set) names, and counts some. So what no machine at hand does can be tested on any, with a GPU or
// ptxmachine.
//   driver      there is none                       old-driver   it is older than the runtime        gpu     there is none
//   capability  the GPU is of 7.5                   memory       1 MiB is free                       image   no kernel fits the GPU
//   access:N    the Nth launch, from 1, makes an illegal access: it and every later call that reaches the GPU fail
#include "faulty_cudart.h"

#include <cuda_runtime_api.h>
#include <dlfcn.h>

#include <cstdlib>
#include <string>

namespace {

constexpr size_t kLittle = 1 << 20;

struct State {
    std::string fault;
    long until_access = 0;
    bool lost = false;
    CudartCalls calls{};

    State() { set(std::getenv("FAULTY_CUDART")); }
    void set(const char* name) {
        fault = name == nullptr ? "" : name;
        lost = false;
        calls = {};
        const bool access = fault.rfind("access:", 0) == 0;
        until_access = access ? std::atol(fault.c_str() + 7) : 0;
    }
};

State& state() {
    static State s;
    return s;
}

bool is(const char* fault) {
    return state().fault == fault;
}

template <class F> F* real(const char* name) {
    return reinterpret_cast<F*>(dlsym(RTLD_NEXT, name));
}

/// Passes a call on that a lost GPU refuses.
template <class F, class... Arguments> cudaError_t reach(const char* name, Arguments... arguments) {
    return state().lost ? cudaErrorIllegalAddress : real<F>(name)(arguments...);
}

}  // namespace

#define VACCINE_FAULTY extern "C" __attribute__((visibility("default")))

VACCINE_FAULTY void faulty_cudart_set(const char* fault) {
    state().set(fault);
}
VACCINE_FAULTY CudartCalls faulty_cudart_calls() {
    return state().calls;
}

VACCINE_FAULTY cudaError_t cudaGetDeviceCount(int* count) {
    if (is("driver") || is("old-driver")) return cudaErrorInsufficientDriver;
    if (is("gpu")) return cudaErrorNoDevice;
    return real<decltype(cudaGetDeviceCount)>("cudaGetDeviceCount")(count);
}
VACCINE_FAULTY cudaError_t cudaDriverGetVersion(int* version) {
    if (is("driver") || is("old-driver")) {
        *version = is("driver") ? 0 : 11040;
        return cudaSuccess;
    }
    return real<decltype(cudaDriverGetVersion)>("cudaDriverGetVersion")(version);
}
VACCINE_FAULTY cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
    const cudaError_t error = real<decltype(cudaDeviceGetAttribute)>("cudaDeviceGetAttribute")(value, attribute, device);
    if (is("capability") && attribute == cudaDevAttrComputeCapabilityMajor) *value = 7;
    if (is("capability") && attribute == cudaDevAttrComputeCapabilityMinor) *value = 5;
    return error;
}

VACCINE_FAULTY cudaError_t cudaMemGetInfo(size_t* free_bytes, size_t* total_bytes) {
    const cudaError_t error = reach<decltype(cudaMemGetInfo)>("cudaMemGetInfo", free_bytes, total_bytes);
    if (is("memory")) *free_bytes = kLittle;
    return error;
}
VACCINE_FAULTY cudaError_t cudaMalloc(void** memory, size_t bytes) {
    ++state().calls.allocations;
    if (is("memory") && bytes > kLittle) return cudaErrorMemoryAllocation;
    return reach<cudaError_t(void**, size_t)>("cudaMalloc", memory, bytes);
}
VACCINE_FAULTY cudaError_t cudaFree(void* memory) {
    ++state().calls.releases;
    return reach<decltype(cudaFree)>("cudaFree", memory);
}
VACCINE_FAULTY cudaError_t cudaMemsetAsync(void* to, int value, size_t bytes, cudaStream_t stream) {
    return reach<decltype(cudaMemsetAsync)>("cudaMemsetAsync", to, value, bytes, stream);
}
VACCINE_FAULTY cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
    return reach<decltype(cudaMemcpyAsync)>("cudaMemcpyAsync", to, from, bytes, kind, stream);
}
VACCINE_FAULTY cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
    ++state().calls.waits;
    return reach<decltype(cudaStreamSynchronize)>("cudaStreamSynchronize", stream);
}
VACCINE_FAULTY cudaError_t cudaGetLastError() {
    if (is("image")) return cudaErrorNoKernelImageForDevice;
    return real<decltype(cudaGetLastError)>("cudaGetLastError")();  // a kernel is still running: its fault comes later
}
VACCINE_FAULTY cudaError_t cudaLaunchKernel(const void* function, dim3 grid, dim3 block, void** arguments, size_t shared,
                                            cudaStream_t stream) {
    ++state().calls.launches;
    if (is("image")) return cudaErrorNoKernelImageForDevice;
    if (state().until_access > 0 && --state().until_access == 0) {
        state().lost = true;  // the launch itself succeeds, as on a card
        return cudaSuccess;
    }
    return reach<cudaError_t(const void*, dim3, dim3, void**, size_t, cudaStream_t)>("cudaLaunchKernel", function, grid, block, arguments,
                                                                                     shared, stream);
}
