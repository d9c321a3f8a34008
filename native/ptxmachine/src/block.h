// One launch, and one block of it: its warps, its memory, its faults.
#pragma once
#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "counters.h"
#include "device_memory.h"
#include "report.h"
#include "shared_memory.h"
#include "warp.h"

namespace vaccine::ptx {

struct Size {
    uint32_t x = 1, y = 1, z = 1;
    uint64_t count() const { return uint64_t{x} * y * z; }
};

/// Generic addresses of these ranges mean shared and local memory.
constexpr uint64_t kSharedWindow = 0x10000000, kLocalWindow = 0x20000000, kWindowBytes = 0x10000000;

struct Launch {
    const Module* module = nullptr;
    const Kernel* kernel = nullptr;
    Size grid, block;
    uint32_t dynamic_shared = 0;
    std::vector<uint8_t> parameters;
    uint32_t epoch = 1;                  // of global race records
    std::atomic<bool> abandoned{false};  // a warp ran for too long: nothing more is run
    // A block that fences and then does an atomic has released what it wrote; one that did an atomic later may read that.
    std::atomic<uint32_t> sequence{1};
    std::vector<std::atomic<uint32_t>> released;
};

/// What an access of one lane does.
struct Access {
    Space space;
    uint64_t address;
    uint32_t bytes;
    bool write = false, atomic = false;
    const uint8_t* incoming = nullptr;  // the bytes to be written, when known
};

class Block {
public:
    explicit Block(Launch& launch);

    /// Runs block number `index` from its start to its end.
    void run(uint64_t index);

    Launch& launch() { return launch_; }
    const Kernel& kernel() const { return *launch_.kernel; }
    uint64_t index() const { return index_; }
    SharedMemory& shared() { return shared_; }

    /// Checks an access and says where its bytes lie; nullptr, after a report, when it may not be made.
    uint8_t* access(Warp& warp, const Instruction& instruction, int lane, const Access& access);
    /// The same for 32 lanes whose accesses lie one behind the other, the first at `address`, all at once. nullptr, without a report, when
    /// something is not as it should be, or not as simple: then each lane must be asked for.
    uint8_t* access_row(const Warp& warp, Space space, uint64_t address, uint32_t bytes, bool write);
    bool counting() const { return counting_; }
    void report(Fault fault, const Warp& warp, const Instruction& instruction, int lane, const std::string& message);

    std::vector<Report> take_reports() { return std::move(reports_); }
    Count& count(const Instruction& instruction) { return counts_[static_cast<size_t>(&instruction - kernel().instructions.data())]; }
    Count* first_count() { return counts_.data(); }
    const std::vector<Count>& counts() const { return counts_; }
    void note_fence() { fenced_ = true; }
    void note_atomic();
    uint32_t acquired() const { return acquired_; }

private:
    void start_warps();
    void set_special_registers(Warp& warp);
    bool release_barriers();
    void release(const std::vector<Warp*>& arrived);
    void complete_reduction(const std::vector<Warp*>& arrived);
    void report_stuck();
    void check_finished();
    std::vector<int> warp_order();
    uint8_t* access_shared(Warp& warp, const Instruction& i, int lane, const Access& a);
    uint8_t* access_local(Warp& warp, const Instruction& i, int lane, const Access& a);
    uint8_t* access_global(Warp& warp, const Instruction& i, int lane, const Access& a);
    /// Live allocations used lately: most accesses are to the same few.
    struct Recent {
        uint64_t address = 0, bytes = 0;
        bool writable = false;
    };
    const Recent* live_allocation(uint64_t address, uint32_t bytes);
    void report_shared_race(Warp& warp, const Instruction& i, int lane, const Access& a, bool between_lanes, const Use& earlier);
    uint8_t* global_row(uint64_t address, uint32_t bytes, bool write);
    uint8_t* shared_row(const Warp& warp, uint64_t address, uint32_t bytes, bool write);
    bool global_row_ordered(uint64_t address, uint32_t all, bool write);
    void check_global_race(Warp& warp, const Instruction& i, int lane, const Access& a, uint64_t start);

    Launch& launch_;
    DeviceMemory& memory_ = DeviceMemory::get();
    const bool races_, counting_;
    uint64_t index_ = 0;
    Size at_;
    uint32_t threads_;
    std::vector<Warp> warps_;
    std::vector<uint8_t> registers_;
    uint8_t* first_register_ = nullptr;
    SharedMemory shared_;
    std::vector<uint8_t> local_, local_written_;
    std::array<Recent, 6> recent_;  // the first is the one found last
    std::vector<Report> reports_;
    std::vector<Count> counts_;
    uint64_t random_ = 1;
    bool fenced_ = false, special_registers_set_ = false;
    uint32_t acquired_ = 0;
};

/// Runs all blocks on several threads. Throws Unsupported.
void run_launch(Launch& launch);

}  // namespace vaccine::ptx
