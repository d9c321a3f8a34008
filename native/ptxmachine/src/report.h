// Faults that a kernel committed: collected per block, printed in the order of blocks when the launch ends.
#pragma once
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "program.h"

namespace vaccine::ptx {

enum class Fault : uint8_t {
    OutOfBounds,
    Misaligned,
    UseAfterFree,
    NeverWritten,
    ReadOnly,
    BarrierDivergence,
    BarrierMissing,
    WarpMask,
    SharedRace,
    LaneRace,
    GlobalRace,
    CopyPending,
    Trap,
    Endless,
    Launch,
    Host,
    Count
};
const char* name_of(Fault fault);

struct Report {
    Fault fault;
    uint64_t block = 0;  // linear index, for the order
    std::string place;   // kernel, block, thread, source line
    std::string message;
    uint64_t times = 1;  // by the same instruction of the same block
    const Instruction* instruction = nullptr;
};

/// All faults of the process.
class Reports {
public:
    static Reports& get();

    /// Prints the first few at once, in the order of their blocks.
    void add(std::vector<Report> reports);
    void add(Fault fault, const std::string& place, const std::string& message) { add({Report{fault, 0, place, message, 1, nullptr}}); }
    uint64_t count() const { return count_; }
    /// The names of the faults since the last call, one a line, and forgets them: for tests of the machine itself.
    std::string take();

private:
    std::mutex mutex_;
    uint64_t count_ = 0;
    int printed_ = 0;
    std::string recent_;
};

}  // namespace vaccine::ptx
