// An NVIDIA GPU as a device: its memory is the card's, its stream a CUDA stream on which ops are queued.
#include <cuda_runtime_api.h>

#include <string>

#include "core/cuda_error.h"
#include "core/device.h"
#include "core/error.h"

namespace vaccine {
namespace {

constexpr int kLeastMajor = 8;  // bf16 mma and cp.async

/// 11080 as "11.8".
std::string version(int number) {
    return std::to_string(number / 1000) + "." + std::to_string(number % 1000 / 10);
}

std::string mib(size_t bytes) {
    return std::to_string(bytes >> 20) + " MiB";
}

/// Errors of a kernel that end the process's use of the GPU: every later call returns the same one.
bool is_sticky(cudaError_t error) {
    switch (error) {
        case cudaErrorECCUncorrectable:
        case cudaErrorHardwareStackError:
        case cudaErrorIllegalInstruction:
        case cudaErrorMisalignedAddress:
        case cudaErrorInvalidAddressSpace:
        case cudaErrorInvalidPc:
        case cudaErrorIllegalAddress:
        case cudaErrorLaunchTimeout:
        case cudaErrorLaunchFailure:
        case cudaErrorAssert:
            return true;
        default:
            return false;
    }
}

/// Of the current device, for messages.
std::string capability_text() {
    int device = 0, major = 0, minor = 0;
    if (cudaGetDevice(&device) != cudaSuccess || cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device) != cudaSuccess ||
        cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, device) != cudaSuccess)
        return "unknown";
    return std::to_string(major) + "." + std::to_string(minor);
}

std::string driver_advice() {
    int driver = 0;
    if (cudaDriverGetVersion(&driver) != cudaSuccess || driver == 0)
        return "there is no NVIDIA driver; install one for CUDA " + version(CUDART_VERSION) + " or later, or run on the cpu";
    return "the NVIDIA driver is for CUDA " + version(driver) + ", and this engine needs " + version(CUDART_VERSION) +
           "; install a newer driver, or run on the cpu";
}

/// What an error means for the caller: its status, and the next step to take ("" where there is none to name).
struct Meaning {
    Status status;
    std::string advice;
};

Meaning meaning_of(cudaError_t error) {
    if (is_sticky(error))
        return {Status::Device,
                "the GPU is lost to this process: end it and start again; where it happens again, compute-sanitizer names the kernel"};
    switch (error) {
        case cudaErrorMemoryAllocation:
            return {Status::OutOfMemory, "end other programs that use the GPU (nvidia-smi lists them)"};
        case cudaErrorInsufficientDriver:
            return {Status::Unsupported, driver_advice()};
        case cudaErrorNoDevice:
            return {Status::Unsupported,
                    "the driver sees no GPU: nvidia-smi must list one, and CUDA_VISIBLE_DEVICES must not hide it; or run on the cpu"};
        case cudaErrorNoKernelImageForDevice:
        case cudaErrorUnsupportedPtxVersion:
        case cudaErrorInvalidDeviceFunction:
            return {Status::Unsupported, "this engine was built without kernels for this GPU, of compute capability " + capability_text() +
                                             "; add it to VACCINE_CUDA_ARCHITECTURES and build again"};
        case cudaErrorDevicesUnavailable:
            return {Status::Device, "another process has the GPU for itself; end it, or set the compute mode to default (nvidia-smi -c 0)"};
        default:
            return {Status::Device, ""};
    }
}

void check(cudaError_t error, const std::string& what) {
    if (error != cudaSuccess) throw_cuda(error, what);
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
        check(cudaStreamCreateWithFlags(&queue_, cudaStreamNonBlocking), "opening cuda:" + std::to_string(index));
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
        check(cudaSetDevice(index_), "cuda:" + std::to_string(index_));
        check(cudaMemGetInfo(&free_bytes, &total_bytes), "cudaMemGetInfo");
        info.free_bytes = static_cast<int64_t>(free_bytes);
        info.total_bytes = static_cast<int64_t>(total_bytes);
        info.compute_major = attribute(cudaDevAttrComputeCapabilityMajor, index_);
        info.compute_minor = attribute(cudaDevAttrComputeCapabilityMinor, index_);
        info.threads = attribute(cudaDevAttrMultiProcessorCount, index_);
        check(cudaDriverGetVersion(&info.driver_version), "cudaDriverGetVersion");
        check(cudaRuntimeGetVersion(&info.runtime_version), "cudaRuntimeGetVersion");
        return info;
    }

    Stream& stream() override { return stream_; }
    void make_current() override { check(cudaSetDevice(index_), "cuda:" + std::to_string(index_)); }
    bool computes_in(DType type) const override { return type == DType::F32 || type == DType::BF16; }
    bool lost() override { return is_sticky(cudaStreamSynchronize(queue_)); }

    void watch(const std::atomic<bool>* asked) override { stream_.interrupt = asked; }

    void* allocate(int64_t bytes) override {
        require(bytes >= 0, "Device::allocate: " + std::to_string(bytes) + " bytes; expected 0 or more");
        if (bytes == 0) return nullptr;
        void* memory = nullptr;
        const cudaError_t error = cudaMalloc(&memory, static_cast<size_t>(bytes));
        if (error == cudaErrorMemoryAllocation) throw_full(bytes);
        check(error, "taking " + mib(static_cast<size_t>(bytes)));
        check(cudaMemsetAsync(memory, 0, static_cast<size_t>(bytes), queue_), "zeroing memory");
        return memory;
    }
    // An error here is an earlier kernel's, which a call that can say so has said or will say.
    void release(void* memory) override { cudaFree(memory); }

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
    [[noreturn]] void throw_full(int64_t bytes) const {
        size_t free_bytes = 0, total_bytes = 0;
        cudaGetLastError();
        cudaMemGetInfo(&free_bytes, &total_bytes);
        throw Error(Status::OutOfMemory, "cuda:" + std::to_string(index_) + " has not the " + mib(static_cast<size_t>(bytes)) +
                                             " that the plan needs in one piece: " + mib(free_bytes) + " of " + mib(total_bytes) +
                                             " are free; end other programs that use the GPU (nvidia-smi lists them), or plan with a lower "
                                             "memory limit");
    }

    const int32_t index_;
    cudaStream_t queue_ = nullptr;
    Stream stream_;
};

}  // namespace

void throw_cuda(cudaError_t error, const std::string& what) {
    cudaGetLastError();  // an error that can be got over must not turn up again at the next launch
    const Meaning meaning = meaning_of(error);
    const std::string text = what + ": " + cudaGetErrorString(error) + " (" + cudaGetErrorName(error) + ")";
    throw Error(meaning.status, meaning.advice.empty() ? text : text + "; " + meaning.advice);
}

std::unique_ptr<Device> Device::open(int32_t index, int32_t) {
    const int32_t found = count();
    const std::string name = "cuda:" + std::to_string(index);
    if (found == 0) throw_cuda(cudaErrorNoDevice, name);
    require(index >= 0 && index < found,
            name + " is not there; expected " + (found == 1 ? "cuda:0, the only GPU" : "cuda:0 to cuda:" + std::to_string(found - 1)));
    const int major = attribute(cudaDevAttrComputeCapabilityMajor, index), minor = attribute(cudaDevAttrComputeCapabilityMinor, index);
    if (major < kLeastMajor)
        throw Error(Status::Unsupported, name + " (" + name_of_device(index) + ") has compute capability " + std::to_string(major) + "." +
                                             std::to_string(minor) +
                                             ", expected 8.0 or later (RTX 30 series, A100); use another GPU or the cpu");
    return std::make_unique<CudaDevice>(index);
}

int32_t Device::count() {
    int count = 0;
    const cudaError_t error = cudaGetDeviceCount(&count);
    if (error == cudaErrorNoDevice) {
        cudaGetLastError();
        return 0;
    }
    check(error, "looking for GPUs");
    return count;
}

const char* Device::build() {
    static const std::string text = "cuda " + version(CUDART_VERSION);
    return text.c_str();
}

}  // namespace vaccine
