// Device memory: allocations that are never moved or reused, and for every byte whether it was written and which blocks used it.
// Addresses are of a reserved range that the host cannot touch: a host program that follows a device pointer crashes, as it should.
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace vaccine::ptx {

struct Allocation {
    uint64_t address = 0, bytes = 0;
    bool freed = false, writable = true;
    std::string name;  // of a variable
};

class DeviceMemory {
public:
    static DeviceMemory& get();

    /// 0 when the device is full. Fresh memory is 0xFF (NaN) and counts as never written.
    uint64_t allocate(uint64_t bytes);
    uint64_t allocate_variable(const std::string& name, uint64_t bytes, const std::vector<uint8_t>& data, bool writable);
    /// Whether `address` was the start of a live allocation.
    bool release(uint64_t address);

    /// Where a device address lies in the memory of this process.
    uint8_t* host(uint64_t address) const { return storage_ + (address - base_); }
    bool owns(uint64_t address) const { return address - base_ < kRange; }
    /// The allocation that starts at or before `address`; nullptr when there is none.
    const Allocation* find(uint64_t address) const;
    uint64_t used() const { return used_; }

    /// One byte for each byte: not 0 when it was written.
    uint8_t* written(uint64_t address) const { return written_ + (address - base_); }
    /// Last writer and reader of each two bytes (see races.h).
    uint32_t* writers(uint64_t address) const { return writers_ + (address - base_) / 2; }
    uint32_t* readers(uint64_t address) const { return readers_ + (address - base_) / 2; }
    void forget_users();

private:
    DeviceMemory();

    static constexpr uint64_t kRange = uint64_t{1} << 38;
    static constexpr uint64_t kGap = 512;  // between allocations: an access there belongs to nobody

    uint64_t base_ = 0, next_ = 0, used_ = 0;
    uint8_t *storage_ = nullptr, *written_ = nullptr;
    uint32_t *writers_ = nullptr, *readers_ = nullptr;
    std::map<uint64_t, Allocation> allocations_;
};

}  // namespace vaccine::ptx
