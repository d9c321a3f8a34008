// An NVIDIA GPU as a device: its memory is the card's, its stream a CUDA stream on which ops are queued.
#include <cuda_runtime_api.h>

#include <string>

#include "core/device.h"
#include "core/error.h"

namespace nv {
namespace {

constexpr int kLeastMajor = 8;  // bf16 mma and cp.async

/// Throws what a failed runtime call means for the caller.
void check(cudaError_t error, const std::string& what) {
    if (error == cudaSuccess) return;
    cudaGetLastError();  // an error that can be got over must not turn up again at the next launch
    const std::string text = what + ": " + cudaGetErrorString(error) + " (" + cudaGetErrorName(error) + ")";
    throw Error(error == cudaErrorMemoryAllocation ? Status::OutOfMemory : Status::Device, text);
}

int attribute(cudaDeviceAttr which, int index) {
    int value = 0;
    check(cudaDeviceGetAttribute(&value, which, index), "cudaDeviceGetAttribute");
    return value;
}

std::string name_of_device(int index) {
    cudaDeviceProp properties;
    check(cudaGetDeviceProperties(&properties, index), "cudaGetDeviceProperties");
    return properties.name;
}

class CudaDevice final : public Device {
public:
    explicit CudaDevice(int32_t index) : index_(index) {
        make_current();
        check(cudaStreamCreateWithFlags(&queue_, cudaStreamNonBlocking), "creating a stream");
        stream_.handle = queue_;
    }
    ~CudaDevice() override {
        cudaSetDevice(index_);
        cudaStreamDestroy(queue_);
    }

    DeviceInfo info() const override {
        DeviceInfo info;
        info.name = name_of_device(index_);
        size_t free_bytes = 0, total_bytes = 0;
        check(cudaMemGetInfo(&free_bytes, &total_bytes), "cudaMemGetInfo");
        info.free_bytes = static_cast<int64_t>(free_bytes);
        info.total_bytes = static_cast<int64_t>(total_bytes);
        info.compute_major = attribute(cudaDevAttrComputeCapabilityMajor, index_);
        info.compute_minor = attribute(cudaDevAttrComputeCapabilityMinor, index_);
        info.threads = attribute(cudaDevAttrMultiProcessorCount, index_);
        return info;
    }

    Stream& stream() override { return stream_; }
    void make_current() override { check(cudaSetDevice(index_), "cuda:" + std::to_string(index_)); }

    void* allocate(int64_t bytes) override {
        require(bytes >= 0, "Device::allocate: " + std::to_string(bytes) + " bytes; expected 0 or more");
        if (bytes == 0) return nullptr;
        void* memory = nullptr;
        const cudaError_t error = cudaMalloc(&memory, static_cast<size_t>(bytes));
        if (error == cudaErrorMemoryAllocation) {
            size_t free_bytes = 0, total_bytes = 0;
            cudaGetLastError();
            cudaMemGetInfo(&free_bytes, &total_bytes);
            throw Error(Status::OutOfMemory, "the GPU has no " + std::to_string(bytes) + " bytes in one piece: " +
                                                 std::to_string(free_bytes) + " of " + std::to_string(total_bytes) + " are free");
        }
        check(error, "allocating " + std::to_string(bytes) + " bytes");
        check(cudaMemsetAsync(memory, 0, static_cast<size_t>(bytes), queue_), "zeroing memory");
        return memory;
    }
    void release(void* memory) override {
        if (memory != nullptr) check(cudaFree(memory), "cudaFree");
    }

    // From pageable memory the runtime copies `host` aside before it returns.
    void upload(void* to, const void* host, int64_t bytes) override {
        if (bytes > 0) check(cudaMemcpyAsync(to, host, static_cast<size_t>(bytes), cudaMemcpyHostToDevice, queue_), "copying to the GPU");
    }
    void download(void* host, const void* from, int64_t bytes) override {
        if (bytes == 0) return;
        check(cudaMemcpyAsync(host, from, static_cast<size_t>(bytes), cudaMemcpyDeviceToHost, queue_), "copying from the GPU");
        check(cudaStreamSynchronize(queue_), "waiting for the GPU");
    }

private:
    const int32_t index_;
    cudaStream_t queue_ = nullptr;
    Stream stream_;
};

}  // namespace

std::unique_ptr<Device> Device::open(int32_t index, int32_t) {
    int count = 0;
    check(cudaGetDeviceCount(&count), "looking for GPUs");
    require(index >= 0 && index < count,
            "cuda:" + std::to_string(index) + " is not there; this machine has " + std::to_string(count) + " GPU(s)");
    const int major = attribute(cudaDevAttrComputeCapabilityMajor, index), minor = attribute(cudaDevAttrComputeCapabilityMinor, index);
    if (major < kLeastMajor)
        throw Error(Status::Unsupported, "cuda:" + std::to_string(index) + " (" + name_of_device(index) + ") has compute capability " +
                                             std::to_string(major) + "." + std::to_string(minor) + "; expected 8.0 or later");
    return std::make_unique<CudaDevice>(index);
}

int32_t Device::count() {
    int count = 0;
    if (cudaGetDeviceCount(&count) == cudaSuccess) return count;
    cudaGetLastError();  // no driver, or no GPU
    return 0;
}

const char* Device::build() {
    return "cuda";
}

}  // namespace nv
