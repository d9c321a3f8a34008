// Instructions without a result: fences, traps, calls of what the driver provides.
#include "block.h"
#include "handlers.h"

namespace vaccine::ptx {

void nothing(Warp&, const Instruction&, LaneMask) {}

void fence(Warp& w, const Instruction&, LaneMask) {
    w.block->note_fence();
}

void trap(Warp& w, const Instruction& i, LaneMask lanes) {
    w.block->report(Fault::Trap, w, i, __builtin_ctz(lanes), "the kernel stopped itself");
    w.live &= ~lanes;
}

namespace {

/// The text that a generic address in the local memory of a lane points to.
std::string text_argument(Warp& w, const Instruction& i, int lane, size_t argument) {
    const auto local = static_cast<uint64_t>(i.operands[argument].value);
    const uint8_t* slot = w.block->access(w, i, lane, {Space::Local, local, 8, false, false, nullptr});
    if (slot == nullptr) return "?";
    uint64_t address = 0;
    std::memcpy(&address, slot, sizeof address);
    const Allocation* variable = DeviceMemory::get().find(address);
    if (variable == nullptr || address >= variable->address + variable->bytes) return "?";
    return reinterpret_cast<const char*>(DeviceMemory::get().host(address));
}

}  // namespace

/// assert() of a kernel ends the block's lanes; printf does nothing.
void call_host(Warp& w, const Instruction& i, LaneMask lanes) {
    if (i.label != "__assertfail" || i.operands.empty()) return;
    const int lane = __builtin_ctz(lanes);
    w.block->report(Fault::Trap, w, i, lane, "assertion failed: " + text_argument(w, i, lane, 0));
    w.live &= ~lanes;
}

}  // namespace vaccine::ptx
