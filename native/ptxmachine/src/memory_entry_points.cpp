// The functions of libcudart that allocate, copy and fill.
#include <cstdlib>

#include "entry.h"
#include "settings.h"

using namespace nv::ptx;

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
