// The functions of libcudart that allocate, copy and fill.
#include <cstdlib>

#include "entry.h"
#include "settings.h"

using namespace vaccine::ptx;

VACCINE_ENTRY int cudaMalloc(void** pointer, size_t bytes) {
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
VACCINE_ENTRY int cudaFree(void* pointer) {
    return guarded([&](Runtime& runtime) -> int {
        if (pointer == nullptr || DeviceMemory::get().release(reinterpret_cast<uint64_t>(pointer))) return runtime.state();
        Reports::get().add(Fault::Host, "call of cudaFree", "the pointer is no live allocation");
        return runtime.fail(kInvalidValue);
    });
}
VACCINE_ENTRY int cudaMallocAsync(void** pointer, size_t bytes, void*) {
    return cudaMalloc(pointer, bytes);
}
VACCINE_ENTRY int cudaFreeAsync(void* pointer, void*) {
    return cudaFree(pointer);
}
VACCINE_ENTRY int cudaMallocHost(void** pointer, size_t bytes) {
    *pointer = std::aligned_alloc(64, (bytes + 64) / 64 * 64);
    return *pointer == nullptr ? kMemoryAllocation : kSuccess;
}
VACCINE_ENTRY int cudaHostAlloc(void** pointer, size_t bytes, unsigned) {
    return cudaMallocHost(pointer, bytes);
}
VACCINE_ENTRY int cudaFreeHost(void* pointer) {
    std::free(pointer);
    return kSuccess;
}
VACCINE_ENTRY int cudaHostRegister(void*, size_t, unsigned) {
    return kSuccess;
}
VACCINE_ENTRY int cudaHostUnregister(void*) {
    return kSuccess;
}
VACCINE_ENTRY int cudaMemcpy(void* to, const void* from, size_t bytes, int) {
    return guarded([&](Runtime& runtime) { return runtime.copy(to, from, bytes); });
}
VACCINE_ENTRY int cudaMemcpyAsync(void* to, const void* from, size_t bytes, int kind, void*) {
    return cudaMemcpy(to, from, bytes, kind);
}
VACCINE_ENTRY int cudaMemcpy2D(void* to, size_t to_pitch, const void* from, size_t from_pitch, size_t width, size_t height, int kind) {
    for (size_t row = 0; row < height; ++row)
        if (const int error =
                cudaMemcpy(static_cast<char*>(to) + row * to_pitch, static_cast<const char*>(from) + row * from_pitch, width, kind))
            return error;
    return kSuccess;
}
VACCINE_ENTRY int cudaMemcpy2DAsync(void* to, size_t to_pitch, const void* from, size_t from_pitch, size_t width, size_t height, int kind,
                                    void*) {
    return cudaMemcpy2D(to, to_pitch, from, from_pitch, width, height, kind);
}
VACCINE_ENTRY int cudaMemset(void* to, int value, size_t bytes) {
    return guarded([&](Runtime& runtime) { return runtime.fill(to, value, bytes); });
}
VACCINE_ENTRY int cudaMemsetAsync(void* to, int value, size_t bytes, void*) {
    return cudaMemset(to, value, bytes);
}
VACCINE_ENTRY int cudaGetSymbolAddress(void** pointer, const void* symbol) {
    return guarded([&](Runtime& runtime) -> int {
        const Variable* variable = runtime.variable(symbol);
        if (variable == nullptr) return runtime.fail(kInvalidSymbol);
        *pointer = reinterpret_cast<void*>(variable->address);
        return kSuccess;
    });
}
VACCINE_ENTRY int cudaMemcpyToSymbol(const void* symbol, const void* from, size_t bytes, size_t offset, int kind) {
    void* to = nullptr;
    const int error = cudaGetSymbolAddress(&to, symbol);
    return error != kSuccess ? error : cudaMemcpy(static_cast<char*>(to) + offset, from, bytes, kind);
}
VACCINE_ENTRY int cudaMemcpyFromSymbol(void* to, const void* symbol, size_t bytes, size_t offset, int kind) {
    void* from = nullptr;
    const int error = cudaGetSymbolAddress(&from, symbol);
    return error != kSuccess ? error : cudaMemcpy(to, static_cast<char*>(from) + offset, bytes, kind);
}
VACCINE_ENTRY int cudaMemGetInfo(size_t* free_bytes, size_t* total) {
    *total = Settings::get().memory;
    *free_bytes = *total - DeviceMemory::get().used();
    return kSuccess;
}
