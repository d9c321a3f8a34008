#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "core/dtype.h"
#include "core/stream.h"

namespace vaccine {

struct DeviceInfo {
    std::string name;
    std::string instructions;  // that the kernels of a CPU use: "plain", "avx2" or "avx512"; empty on a GPU
    int64_t total_bytes = 0, free_bytes = 0;
    int32_t compute_major = 0, compute_minor = 0;     // 0.0 on a CPU
    int32_t threads = 0;                              // worker threads of a CPU, multiprocessors of a GPU
    int32_t driver_version = 0, runtime_version = 0;  // of CUDA: 11080 is 11.8; 0 on a CPU
};

/// Where the engine's memory lies and its ops run. device_cpu.cpp and device_cuda.cpp each define it for one build.
class Device {
public:
    /// index: which GPU, 0 on a CPU. threads: of the pool, 0 for as many as there are processors; ignored on a GPU.
    static std::unique_ptr<Device> open(int32_t index, int32_t threads);
    /// Throws Error(Unsupported) where there is no usable driver.
    static int32_t count();
    /// Which build this is, and with what: "cpu", or "cuda" and its runtime's version.
    static const char* build();
    virtual ~Device() = default;

    virtual DeviceInfo info() const = 0;
    virtual Stream& stream() = 0;
    /// Makes the calling thread's next calls go to this device. Calls may come from any thread, one at a time.
    virtual void make_current() {}
    /// Whether its memory is the host's, so that upload is a copy which any thread may make at any time.
    virtual bool is_host() const { return false; }
    /// Whether activations of a session on this device may be of a type.
    virtual bool computes_in(DType type) const = 0;
    /// True once a kernel has failed in a way from which the device does not recover in this process. Waits.
    virtual bool lost() { return false; }

    /// While `asked` is set, ops end early and throw Error(Interrupted); NULL: they do not. Not while an op runs.
    virtual void watch(const std::atomic<bool>* asked) = 0;

    /// Zeroed memory, aligned to 256 bytes. Throws Error(OutOfMemory).
    virtual void* allocate(int64_t bytes) = 0;
    /// Throws nothing: memory is released where an error is already on its way.
    virtual void release(void* memory) = 0;

    /// Copies between host and engine memory. upload may return before the copy is done, but has read `host` by then;
    /// download waits for everything that was queued before it.
    virtual void upload(void* to, const void* host, int64_t bytes) = 0;
    virtual void download(void* host, const void* from, int64_t bytes) = 0;
};

}  // namespace vaccine
