// The functions of libcudart that register kernels and launch them.
#include "entry.h"

using namespace vaccine::ptx;

namespace {

struct Configuration {
    Size grid, block;
    size_t shared;
    void* stream;
};
thread_local Configuration pending_launch;

constexpr int kMaxDynamicShared = 8;  // of cudaFuncAttribute

/// cudaLaunchConfig_t, without its attributes: clusters and the like do not exist on the sm_86 that the machine is.
struct LaunchConfiguration {
    Size grid, block;
    size_t shared;
    void* stream;
};

}  // namespace

// What nvcc's start-up code calls.
VACCINE_ENTRY void** __cudaRegisterFatBinary(void* fat_binary) {
    void** handle = new void*(fat_binary);
    guarded([&](Runtime& runtime) { return runtime.register_module(handle, fat_binary), 0; });
    return handle;
}
VACCINE_ENTRY void __cudaRegisterFatBinaryEnd(void**) {}
VACCINE_ENTRY void __cudaUnregisterFatBinary(void**) {}  // at exit only; kernels stay, for counters name them
VACCINE_ENTRY char __cudaInitModule(void**) {
    return 1;
}
VACCINE_ENTRY void __cudaRegisterFunction(void** handle, const char* host, char*, const char* name, int, void*, void*, void*, void*, int*) {
    guarded([&](Runtime& runtime) { return runtime.register_function(handle, host, name), 0; });
}
VACCINE_ENTRY void __cudaRegisterVar(void** handle, char* host, char*, const char* name, int, size_t, int, int) {
    guarded([&](Runtime& runtime) { return runtime.register_variable(handle, host, name), 0; });
}
VACCINE_ENTRY unsigned __cudaPushCallConfiguration(Size grid, Size block, size_t shared, void* stream) {
    pending_launch = {grid, block, shared, stream};
    return 0;
}
VACCINE_ENTRY int __cudaPopCallConfiguration(Size* grid, Size* block, size_t* shared, void** stream) {
    *grid = pending_launch.grid;
    *block = pending_launch.block;
    *shared = pending_launch.shared;
    *stream = pending_launch.stream;
    return kSuccess;
}

// Launches.
VACCINE_ENTRY int cudaLaunchKernel(const void* function, Size grid, Size block, void** arguments, size_t shared, void*) {
    return guarded([&](Runtime& runtime) { return runtime.launch(function, grid, block, arguments, shared); });
}
VACCINE_ENTRY int __cudaLaunchKernel(const void* function, Size grid, Size block, void** arguments, size_t shared, void* stream) {
    return cudaLaunchKernel(function, grid, block, arguments, shared, stream);
}
VACCINE_ENTRY int cudaLaunchKernelExC(const LaunchConfiguration* configuration, const void* function, void** arguments) {
    return cudaLaunchKernel(function, configuration->grid, configuration->block, arguments, configuration->shared, configuration->stream);
}
VACCINE_ENTRY int __cudaGetKernel(void** kernel, const void* function) {
    *kernel = const_cast<void*>(function);
    return kSuccess;
}
VACCINE_ENTRY int cudaGetKernel(void** kernel, const void* function) {
    return __cudaGetKernel(kernel, function);
}
VACCINE_ENTRY int cudaFuncSetAttribute(const void* host, int which, int value) {
    return guarded([&](Runtime& runtime) -> int {
        Function* function = runtime.function(host);
        if (function == nullptr) return runtime.fail(kInvalidDeviceFunction);
        if (which != kMaxDynamicShared) return kSuccess;
        const uint32_t fixed = function->module->kernel(function->name).static_shared_bytes;
        if (value < 0 || static_cast<uint32_t>(value) + fixed > kSharedLimit) return runtime.fail(kInvalidValue);
        function->dynamic_shared_limit = static_cast<uint32_t>(value);
        return kSuccess;
    });
}
VACCINE_ENTRY int cudaFuncSetCacheConfig(const void*, int) {
    return kSuccess;
}
VACCINE_ENTRY int cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, const void*, int threads, size_t shared) {
    const int by_threads = threads <= 0 ? 0 : 1536 / ((threads + 31) / 32 * 32), by_shared = static_cast<int>(100 * 1024 / (shared + 1024));
    *blocks = by_threads < by_shared ? by_threads : by_shared;  // registers are not known here
    return kSuccess;
}
VACCINE_ENTRY int cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int* blocks, const void* function, int threads, size_t shared,
                                                                         unsigned) {
    return cudaOccupancyMaxActiveBlocksPerMultiprocessor(blocks, function, threads, shared);
}
