#include "device_memory.h"

#include <sys/mman.h>

#include <cstring>

#include "settings.h"
#include "types.h"

namespace vaccine::ptx {

namespace {

/// Address space only: a page takes memory when it is touched.
void* reserve(uint64_t bytes, int protection) {
    void* p = mmap(nullptr, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) throw Unsupported("cannot reserve address space for device memory (ulimit -v, or overcommit_memory = 2?)");
    return p;
}

}  // namespace

DeviceMemory& DeviceMemory::get() {
    static DeviceMemory memory;
    return memory;
}

DeviceMemory::DeviceMemory() {
    base_ = reinterpret_cast<uint64_t>(reserve(kRange, PROT_NONE));
    storage_ = static_cast<uint8_t*>(reserve(kRange, PROT_READ | PROT_WRITE));
    written_ = static_cast<uint8_t*>(reserve(kRange, PROT_READ | PROT_WRITE));
    writers_ = static_cast<uint32_t*>(reserve(2 * kRange, PROT_READ | PROT_WRITE));
    readers_ = static_cast<uint32_t*>(reserve(2 * kRange, PROT_READ | PROT_WRITE));
    next_ = base_ + kGap;
}

uint64_t DeviceMemory::allocate(uint64_t bytes) {
    if (bytes > Settings::get().memory - used_ || next_ - base_ + bytes + 2 * kGap > kRange) return 0;
    const uint64_t address = next_;
    next_ = (address + bytes + kGap + 511) / 512 * 512;
    used_ += bytes;
    allocations_[address] = {address, bytes, false, true, ""};
    std::memset(host(address), 0xFF, bytes);
    return address;
}

uint64_t DeviceMemory::allocate_variable(const std::string& name, uint64_t bytes, const std::vector<uint8_t>& data, bool writable) {
    const uint64_t address = allocate(bytes);
    if (address == 0) throw Unsupported("no device memory for variable " + name);
    std::memset(host(address), 0, bytes);
    std::memcpy(host(address), data.data(), data.size());
    std::memset(written(address), 1, bytes);
    allocations_[address].name = name;
    allocations_[address].writable = writable;
    return address;
}

bool DeviceMemory::release(uint64_t address) {
    const auto found = allocations_.find(address);
    if (found == allocations_.end() || found->second.freed) return false;
    found->second.freed = true;
    used_ -= found->second.bytes;
    // Whole pages go back to the system; the address is never given out again.
    constexpr uint64_t kPage = 4096;
    const uint64_t first = (address - base_ + kPage - 1) / kPage * kPage, end = (address - base_ + found->second.bytes) / kPage * kPage;
    if (end > first) {
        madvise(storage_ + first, end - first, MADV_DONTNEED);
        madvise(written_ + first, end - first, MADV_DONTNEED);
        madvise(writers_ + first / 2, 2 * (end - first), MADV_DONTNEED);
        madvise(readers_ + first / 2, 2 * (end - first), MADV_DONTNEED);
    }
    return true;
}

const Allocation* DeviceMemory::find(uint64_t address) const {
    auto after = allocations_.upper_bound(address);
    return after == allocations_.begin() ? nullptr : &(--after)->second;
}

void DeviceMemory::forget_users() {
    madvise(writers_, 2 * (next_ - base_), MADV_DONTNEED);
    madvise(readers_, 2 * (next_ - base_), MADV_DONTNEED);
}

}  // namespace vaccine::ptx
