// The functions of libcudart for streams, events, the device and its errors. Streams are not queues here: everything runs at once, in the
// caller.
#include <chrono>
#include <cstdio>
#include <cstring>

#include "entry.h"
#include "instruction_set.h"
#include "ptxmachine.h"
#include "settings.h"

using namespace vaccine::ptx;

namespace {

// Numbers of cudaDeviceAttr, offsets in cudaDeviceProp: the same from CUDA 11 to 12.
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

// Streams and events.
VACCINE_ENTRY int cudaDeviceSynchronize() {
    return guarded([](Runtime& runtime) { return runtime.state(); });
}
VACCINE_ENTRY int cudaStreamSynchronize(void*) {
    return cudaDeviceSynchronize();
}
VACCINE_ENTRY int cudaStreamQuery(void*) {
    return cudaDeviceSynchronize();
}
VACCINE_ENTRY int cudaStreamCreate(void** stream) {
    *stream = new char;
    return kSuccess;
}
VACCINE_ENTRY int cudaStreamCreateWithFlags(void** stream, unsigned) {
    return cudaStreamCreate(stream);
}
VACCINE_ENTRY int cudaStreamCreateWithPriority(void** stream, unsigned, int) {
    return cudaStreamCreate(stream);
}
VACCINE_ENTRY int cudaStreamDestroy(void* stream) {
    delete static_cast<char*>(stream);
    return kSuccess;
}
VACCINE_ENTRY int cudaStreamWaitEvent(void*, void*, unsigned) {
    return kSuccess;
}
VACCINE_ENTRY int cudaEventCreate(void** event) {
    *event = new double(0);
    return kSuccess;
}
VACCINE_ENTRY int cudaEventCreateWithFlags(void** event, unsigned) {
    return cudaEventCreate(event);
}
VACCINE_ENTRY int cudaEventRecord(void* event, void*) {
    *static_cast<double*>(event) = std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
    return kSuccess;
}
VACCINE_ENTRY int cudaEventSynchronize(void*) {
    return cudaDeviceSynchronize();
}
VACCINE_ENTRY int cudaEventQuery(void*) {
    return cudaDeviceSynchronize();
}
VACCINE_ENTRY int cudaEventElapsedTime(float* milliseconds, void* first, void* second) {
    *milliseconds = static_cast<float>((*static_cast<double*>(second) - *static_cast<double*>(first)) * 1e3);
    return kSuccess;
}
VACCINE_ENTRY int cudaEventElapsedTime_v2(float* milliseconds, void* first, void* second) {
    return cudaEventElapsedTime(milliseconds, first, second);
}
VACCINE_ENTRY int cudaEventDestroy(void* event) {
    delete static_cast<double*>(event);
    return kSuccess;
}

// The device and its errors.
VACCINE_ENTRY int cudaGetDevice(int* device) {
    *device = 0;
    return kSuccess;
}
VACCINE_ENTRY int cudaSetDevice(int device) {
    return guarded([&](Runtime& runtime) { return device == 0 ? kSuccess : runtime.fail(kInvalidDevice); });
}
VACCINE_ENTRY int cudaGetDeviceCount(int* count) {
    *count = 1;
    return kSuccess;
}
VACCINE_ENTRY int cudaDeviceReset() {
    return kSuccess;
}
VACCINE_ENTRY int cudaDeviceGetAttribute(int* value, int which, int) {
    *value = attribute(which);
    return kSuccess;
}
VACCINE_ENTRY int cudaGetDeviceProperties(void* properties, int device) {
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
VACCINE_ENTRY int cudaGetDeviceProperties_v2(void* properties, int device) {
    return cudaGetDeviceProperties(properties, device);
}
VACCINE_ENTRY int cudaRuntimeGetVersion(int* version) {
    *version = 11080;
    return kSuccess;
}
VACCINE_ENTRY int cudaDriverGetVersion(int* version) {
    return cudaRuntimeGetVersion(version);
}
VACCINE_ENTRY int cudaGetLastError() {
    return guarded([](Runtime& runtime) { return runtime.last_error(true); });
}
VACCINE_ENTRY int cudaPeekAtLastError() {
    return guarded([](Runtime& runtime) { return runtime.last_error(false); });
}
VACCINE_ENTRY const char* cudaGetErrorName(int error) {
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
VACCINE_ENTRY const char* cudaGetErrorString(int error) {
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
VACCINE_ENTRY int ptxmachine_take_faults(char* text, size_t capacity) {
    return guarded([&](Runtime& runtime) {
        const std::string faults = Reports::get().take();
        std::snprintf(text, capacity, "%s", faults.c_str());
        runtime.forget_faults();
        return static_cast<int>(faults.size());
    });
}
VACCINE_ENTRY int ptxmachine_unused_instructions(char* text, size_t capacity) {
    return guarded([&](Runtime&) {
        std::string list;
        for (const std::string& pattern : unused_patterns()) list += pattern + "\n";
        std::snprintf(text, capacity, "%s", list.c_str());
        return static_cast<int>(list.size());
    });
}
VACCINE_ENTRY int ptxmachine_counters(char* text, size_t capacity) {
    return guarded([&](Runtime&) {
        const std::string json = Counters::get().json();
        std::snprintf(text, capacity, "%s", json.c_str());
        return static_cast<int>(json.size());
    });
}
