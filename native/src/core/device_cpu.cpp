// The processor as a device: its memory is the system's, and its stream a pool of threads on which every op is done when it returns.
#include <cstring>
#include <unordered_map>

#include "core/cpu_features.h"
#include "core/device.h"
#include "core/error.h"
#include "core/platform.h"
#include "core/thread_pool.h"

namespace vaccine {
namespace {

class CpuDevice final : public Device {
public:
    explicit CpuDevice(int32_t threads) : pool_(threads) { stream_.handle = &pool_; }

    ~CpuDevice() override {
        for (const auto& [memory, bytes] : taken_) platform::unmap(memory, bytes);
    }

    DeviceInfo info() const override {
        const platform::Memory memory = platform::memory();
        DeviceInfo info;
        info.name = platform::processor_name();
        info.instructions = name_of(active_isa());
        info.total_bytes = memory.total_bytes;
        info.free_bytes = memory.free_bytes;
        info.threads = pool_.threads();
        return info;
    }

    Stream& stream() override { return stream_; }
    bool is_host() const override { return true; }
    bool computes_in(DType type) const override { return type == DType::F32; }

    void watch(const std::atomic<bool>* asked) override { pool_.watch(asked); }

    void* allocate(int64_t bytes) override {
        require(bytes >= 0, "Device::allocate: " + std::to_string(bytes) + " bytes; expected 0 or more");
        if (bytes == 0) return nullptr;
        void* memory = platform::map_zeroed(bytes);
        if (memory == nullptr) throw Error(Status::OutOfMemory, "the system has no " + std::to_string(bytes) + " bytes of memory left");
        taken_.emplace(memory, bytes);
        return memory;
    }

    void release(void* memory) override {
        if (memory == nullptr) return;
        const auto found = taken_.find(memory);
        if (found == taken_.end()) throw Error(Status::Internal, "Device::release: memory that this device did not give");
        platform::unmap(memory, found->second);
        taken_.erase(found);
    }

    void upload(void* to, const void* host, int64_t bytes) override { copy(to, host, bytes); }
    void download(void* host, const void* from, int64_t bytes) override { copy(host, from, bytes); }

private:
    static void copy(void* to, const void* from, int64_t bytes) {
        if (bytes > 0) std::memcpy(to, from, static_cast<size_t>(bytes));
    }

    ThreadPool pool_;
    Stream stream_;
    std::unordered_map<void*, int64_t> taken_;
};

}  // namespace

std::unique_ptr<Device> Device::open(int32_t index, int32_t threads) {
    require(index == 0, "Device::open: cpu " + std::to_string(index) + "; there is only cpu 0");
    require(threads >= 0, "Device::open: " + std::to_string(threads) + " threads; expected 0 (all processors) or more");
    return std::make_unique<CpuDevice>(threads > 0 ? threads : platform::processor_count());
}

int32_t Device::count() {
    return 1;
}

const char* Device::build() {
    return "cpu";
}

}  // namespace vaccine
