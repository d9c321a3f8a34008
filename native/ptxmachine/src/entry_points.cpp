// The functions of libcudart that a program of ours calls. Streams are not queues here: everything runs at once, in the caller.
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "instruction_set.h"
#include "ptxmachine.h"
#include "runtime.h"
#include "settings.h"

using namespace nv::ptx;

namespace {

/// Runs `body` under the lock. A program that we cannot run is ended with a message: nothing after it would mean anything.
template <class Body> int guarded(Body body) noexcept {
    try {
        Runtime& runtime = Runtime::get();
        const std::lock_guard<std::recursive_mutex> lock(runtime.mutex());
        return body(runtime);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "ptxmachine: %s\n", error.what());
        std::fflush(nullptr);
        _exit(3);
    }
}

struct Configuration {
    Size grid, block;
    size_t shared;
    void* stream;
};
thread_local Configuration pending_launch;

// Numbers of cudaDeviceAttr and cudaFuncAttribute, offsets in cudaDeviceProp: the same from CUDA 11 to 12.
enum DeviceAttribute {
    kAttributeMaxThreads = 1,
    kAttributeSharedPerBlock = 8,
    kAttributeWarpSize = 10,
    kAttributeClock = 13,
    kAttributeMultiprocessors = 16,
    kAttributeMemoryClock = 36,
    kAttributeBusWidth = 37,
    kAttributeL2 = 38,
    kAttributeThreadsPerMultiprocessor = 39,
    kAttributeMajor = 75,
    kAttributeMinor = 76,
    kAttributeSharedPerMultiprocessor = 81,
    kAttributeRegistersPerMultiprocessor = 82,
    kAttributeCooperative = 95,
    kAttributeSharedOptIn = 97
};
constexpr int kMaxDynamicShared = 8;
constexpr char kDeviceName[] = "ptxmachine (no GPU: PTX interpreted on the CPU)";

int attribute(int which) {
    switch (which) {
        case kAttributeMaxThreads:
            return kMaxThreads;
        case kAttributeSharedPerBlock:
            return kStaticSharedLimit;
        case kAttributeWarpSize:
            return kWarpSize;
        case kAttributeClock:
            return 1695000;
        case kAttributeMultiprocessors:
            return 82;  // as an RTX 3090, so that programs choose grids as there
        case kAttributeMemoryClock:
            return 9751000;
        case kAttributeBusWidth:
            return 384;
        case kAttributeL2:
            return 6 << 20;
        case kAttributeThreadsPerMultiprocessor:
            return 1536;
        case kAttributeMajor:
            return 8;
        case kAttributeMinor:
            return 6;
        case kAttributeSharedPerMultiprocessor:
            return 100 * 1024;
        case kAttributeRegistersPerMultiprocessor:
            return 65536;
        case kAttributeSharedOptIn:
            return kSharedLimit;
        default:
            return 0;
    }
}

template <class T> void put(void* properties, size_t offset, T value) {
    std::memcpy(static_cast<char*>(properties) + offset, &value, sizeof value);
}

}  // namespace

#define NV_ENTRY extern "C" __attribute__((visibility("default")))

// What nvcc's start-up code calls.
NV_ENTRY void** __cudaRegisterFatBinary(void* fat_binary) {
    void** handle = new void*(fat_binary);
    guarded([&](Runtime& runtime) { return runtime.register_module(handle, fat_binary), 0; });
    return handle;
}
NV_ENTRY void __cudaRegisterFatBinaryEnd(void**) {}
NV_ENTRY void __cudaUnregisterFatBinary(void**) {}  // at exit only; kernels stay, for counters name them
NV_ENTRY char __cudaInitModule(void**) {
    return 1;
}
NV_ENTRY void __cudaRegisterFunction(void** handle, const char* host, char*, const char* name, int, void*, void*, void*, void*, int*) {
    guarded([&](Runtime& runtime) { return runtime.register_function(handle, host, name), 0; });
}
NV_ENTRY void __cudaRegisterVar(void** handle, char* host, char*, const char* name, int, size_t, int, int) {
    guarded([&](Runtime& runtime) { return runtime.register_variable(handle, host, name), 0; });
}
NV_ENTRY unsigned __cudaPushCallConfiguration(Size grid, Size block, size_t shared, void* stream) {
    pending_launch = {grid, block, shared, stream};
    return 0;
}
NV_ENTRY int __cudaPopCallConfiguration(Size* grid, Size* block, size_t* shared, void** stream) {
    *grid = pending_launch.grid;
    *block = pending_launch.block;
    *shared = pending_launch.shared;
    *stream = pending_launch.stream;
    return kSuccess;
}

// Launches.
NV_ENTRY int cudaLaunchKernel(const void* function, Size grid, Size block, void** arguments, size_t shared, void*) {
    return guarded([&](Runtime& runtime) { return runtime.launch(function, grid, block, arguments, shared); });
}
NV_ENTRY int __cudaLaunchKernel(const void* function, Size grid, Size block, void** arguments, size_t shared, void* stream) {
    return cudaLaunchKernel(function, grid, block, arguments, shared, stream);
}
NV_ENTRY int __cudaGetKernel(void** kernel, const void* function) {
    *kernel = const_cast<void*>(function);
    return kSuccess;
}
NV_ENTRY int cudaFuncSetAttribute(const void* host, int which, int value) {
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
NV_ENTRY int cudaFuncSetCacheConfig(const void*, int) {
    return kSuccess;
}
NV_ENTRY int cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, const void*, int threads, size_t shared) {
    const int by_threads = threads <= 0 ? 0 : 1536 / ((threads + 31) / 32 * 32), by_shared = static_cast<int>(100 * 1024 / (shared + 1024));
    *blocks = by_threads < by_shared ? by_threads : by_shared;  // registers are not known here
    return kSuccess;
}
NV_ENTRY int cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int* blocks, const void* function, int threads, size_t shared,
                                                                    unsigned) {
    return cudaOccupancyMaxActiveBlocksPerMultiprocessor(blocks, function, threads, shared);
}

// Memory.
NV_ENTRY int cudaMalloc(void** pointer, size_t bytes) {
    return guarded([&](Runtime& runtime) -> int {
        *pointer = nullptr;
        if (runtime.state() != kSuccess) return runtime.state();
        if (bytes == 0) return kSuccess;
        const uint64_t address = DeviceMemory::get().allocate(bytes);
        if (address == 0) return runtime.fail(kMemoryAllocation);
        *pointer = reinterpret_cast<void*>(address);
        return kSuccess;
    });
}
NV_ENTRY int cudaFree(void* pointer) {
    return guarded([&](Runtime& runtime) -> int {
        if (pointer == nullptr || DeviceMemory::get().release(reinterpret_cast<uint64_t>(pointer))) return runtime.state();
        Reports::get().add(Fault::Host, "call of cudaFree", "the pointer is no live allocation");
        return runtime.fail(kInvalidValue);
    });
}
NV_ENTRY int cudaMallocAsync(void** pointer, size_t bytes, void*) {
    return cudaMalloc(pointer, bytes);
}
NV_ENTRY int cudaFreeAsync(void* pointer, void*) {
    return cudaFree(pointer);
}
NV_ENTRY int cudaMallocHost(void** pointer, size_t bytes) {
    *pointer = std::aligned_alloc(64, (bytes + 64) / 64 * 64);
    return *pointer == nullptr ? kMemoryAllocation : kSuccess;
}
NV_ENTRY int cudaHostAlloc(void** pointer, size_t bytes, unsigned) {
    return cudaMallocHost(pointer, bytes);
}
NV_ENTRY int cudaFreeHost(void* pointer) {
    std::free(pointer);
    return kSuccess;
}
NV_ENTRY int cudaHostRegister(void*, size_t, unsigned) {
    return kSuccess;
}
NV_ENTRY int cudaHostUnregister(void*) {
    return kSuccess;
}
NV_ENTRY int cudaMemcpy(void* to, const void* from, size_t bytes, int) {
    return guarded([&](Runtime& runtime) { return runtime.copy(to, from, bytes); });
}
NV_ENTRY int cudaMemcpyAsync(void* to, const void* from, size_t bytes, int kind, void*) {
    return cudaMemcpy(to, from, bytes, kind);
}
NV_ENTRY int cudaMemcpy2D(void* to, size_t to_pitch, const void* from, size_t from_pitch, size_t width, size_t height, int kind) {
    for (size_t row = 0; row < height; ++row)
        if (const int error =
                cudaMemcpy(static_cast<char*>(to) + row * to_pitch, static_cast<const char*>(from) + row * from_pitch, width, kind))
            return error;
    return kSuccess;
}
NV_ENTRY int cudaMemcpy2DAsync(void* to, size_t to_pitch, const void* from, size_t from_pitch, size_t width, size_t height, int kind,
                               void*) {
    return cudaMemcpy2D(to, to_pitch, from, from_pitch, width, height, kind);
}
NV_ENTRY int cudaMemset(void* to, int value, size_t bytes) {
    return guarded([&](Runtime& runtime) { return runtime.fill(to, value, bytes); });
}
NV_ENTRY int cudaMemsetAsync(void* to, int value, size_t bytes, void*) {
    return cudaMemset(to, value, bytes);
}
NV_ENTRY int cudaGetSymbolAddress(void** pointer, const void* symbol) {
    return guarded([&](Runtime& runtime) -> int {
        const Variable* variable = runtime.variable(symbol);
        if (variable == nullptr) return runtime.fail(kInvalidSymbol);
        *pointer = reinterpret_cast<void*>(variable->address);
        return kSuccess;
    });
}
NV_ENTRY int cudaMemcpyToSymbol(const void* symbol, const void* from, size_t bytes, size_t offset, int kind) {
    void* to = nullptr;
    const int error = cudaGetSymbolAddress(&to, symbol);
    return error != kSuccess ? error : cudaMemcpy(static_cast<char*>(to) + offset, from, bytes, kind);
}
NV_ENTRY int cudaMemcpyFromSymbol(void* to, const void* symbol, size_t bytes, size_t offset, int kind) {
    void* from = nullptr;
    const int error = cudaGetSymbolAddress(&from, symbol);
    return error != kSuccess ? error : cudaMemcpy(to, static_cast<char*>(from) + offset, bytes, kind);
}
NV_ENTRY int cudaMemGetInfo(size_t* free_bytes, size_t* total) {
    *total = Settings::get().memory;
    *free_bytes = *total - DeviceMemory::get().used();
    return kSuccess;
}

// Streams and events.
NV_ENTRY int cudaDeviceSynchronize() {
    return guarded([](Runtime& runtime) { return runtime.state(); });
}
NV_ENTRY int cudaStreamSynchronize(void*) {
    return cudaDeviceSynchronize();
}
NV_ENTRY int cudaStreamQuery(void*) {
    return cudaDeviceSynchronize();
}
NV_ENTRY int cudaStreamCreate(void** stream) {
    *stream = new char;
    return kSuccess;
}
NV_ENTRY int cudaStreamCreateWithFlags(void** stream, unsigned) {
    return cudaStreamCreate(stream);
}
NV_ENTRY int cudaStreamCreateWithPriority(void** stream, unsigned, int) {
    return cudaStreamCreate(stream);
}
NV_ENTRY int cudaStreamDestroy(void* stream) {
    delete static_cast<char*>(stream);
    return kSuccess;
}
NV_ENTRY int cudaStreamWaitEvent(void*, void*, unsigned) {
    return kSuccess;
}
NV_ENTRY int cudaEventCreate(void** event) {
    *event = new double(0);
    return kSuccess;
}
NV_ENTRY int cudaEventCreateWithFlags(void** event, unsigned) {
    return cudaEventCreate(event);
}
NV_ENTRY int cudaEventRecord(void* event, void*) {
    *static_cast<double*>(event) = std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
    return kSuccess;
}
NV_ENTRY int cudaEventSynchronize(void*) {
    return cudaDeviceSynchronize();
}
NV_ENTRY int cudaEventQuery(void*) {
    return cudaDeviceSynchronize();
}
NV_ENTRY int cudaEventElapsedTime(float* milliseconds, void* first, void* second) {
    *milliseconds = static_cast<float>((*static_cast<double*>(second) - *static_cast<double*>(first)) * 1e3);
    return kSuccess;
}
NV_ENTRY int cudaEventDestroy(void* event) {
    delete static_cast<double*>(event);
    return kSuccess;
}

// The device and its errors.
NV_ENTRY int cudaGetDevice(int* device) {
    *device = 0;
    return kSuccess;
}
NV_ENTRY int cudaSetDevice(int device) {
    return guarded([&](Runtime& runtime) { return device == 0 ? kSuccess : runtime.fail(kInvalidDevice); });
}
NV_ENTRY int cudaGetDeviceCount(int* count) {
    *count = 1;
    return kSuccess;
}
NV_ENTRY int cudaDeviceReset() {
    return kSuccess;
}
NV_ENTRY int cudaDeviceGetAttribute(int* value, int which, int) {
    *value = attribute(which);
    return kSuccess;
}
NV_ENTRY int cudaGetDeviceProperties(void* properties, int device) {
    if (device != 0) return kInvalidDevice;
    std::memcpy(properties, kDeviceName, sizeof kDeviceName);
    put(properties, 288, static_cast<size_t>(Settings::get().memory));
    put(properties, 296, static_cast<size_t>(kStaticSharedLimit));
    put(properties, 304, 65536);
    put(properties, 308, kWarpSize);
    put(properties, 320, static_cast<int>(kMaxThreads));
    put(properties, 360, 8);
    put(properties, 364, 6);
    put(properties, 388, attribute(kAttributeMultiprocessors));
    return kSuccess;
}
NV_ENTRY int cudaGetDeviceProperties_v2(void* properties, int device) {
    return cudaGetDeviceProperties(properties, device);
}
NV_ENTRY int cudaRuntimeGetVersion(int* version) {
    *version = 11080;
    return kSuccess;
}
NV_ENTRY int cudaDriverGetVersion(int* version) {
    return cudaRuntimeGetVersion(version);
}
NV_ENTRY int cudaGetLastError() {
    return guarded([](Runtime& runtime) { return runtime.last_error(true); });
}
NV_ENTRY int cudaPeekAtLastError() {
    return guarded([](Runtime& runtime) { return runtime.last_error(false); });
}
NV_ENTRY const char* cudaGetErrorName(int error) {
    switch (error) {
        case kSuccess:
            return "cudaSuccess";
        case kInvalidValue:
            return "cudaErrorInvalidValue";
        case kMemoryAllocation:
            return "cudaErrorMemoryAllocation";
        case kInvalidConfiguration:
            return "cudaErrorInvalidConfiguration";
        case kInvalidSymbol:
            return "cudaErrorInvalidSymbol";
        case kInvalidDeviceFunction:
            return "cudaErrorInvalidDeviceFunction";
        case kInvalidDevice:
            return "cudaErrorInvalidDevice";
        case kIllegalAddress:
            return "cudaErrorIllegalAddress";
        default:
            return "cudaErrorUnknown";
    }
}
NV_ENTRY const char* cudaGetErrorString(int error) {
    switch (error) {
        case kSuccess:
            return "no error";
        case kInvalidValue:
            return "invalid argument";
        case kMemoryAllocation:
            return "out of memory";
        case kInvalidConfiguration:
            return "invalid configuration argument";
        case kInvalidDevice:
            return "invalid device ordinal";
        case kIllegalAddress:
            return "a fault in a kernel (ptxmachine printed it)";
        default:
            return cudaGetErrorName(error);
    }
}

// For the tests of the machine itself.
NV_ENTRY int ptxmachine_take_faults(char* text, size_t capacity) {
    return guarded([&](Runtime& runtime) {
        const std::string faults = Reports::get().take();
        std::snprintf(text, capacity, "%s", faults.c_str());
        runtime.forget_faults();
        return static_cast<int>(faults.size());
    });
}
NV_ENTRY int ptxmachine_unused_instructions(char* text, size_t capacity) {
    return guarded([&](Runtime&) {
        std::string list;
        for (const std::string& pattern : unused_patterns()) list += pattern + "\n";
        std::snprintf(text, capacity, "%s", list.c_str());
        return static_cast<int>(list.size());
    });
}
NV_ENTRY int ptxmachine_counters(char* text, size_t capacity) {
    return guarded([&](Runtime&) {
        const std::string json = Counters::get().json();
        std::snprintf(text, capacity, "%s", json.c_str());
        return static_cast<int>(json.size());
    });
}
