#include "warp.h"

#include "block.h"
#include "settings.h"

namespace vaccine::ptx {

namespace {

constexpr int64_t kSpinBudget = 1 << 20;  // instructions before the other warps get their turn

template <class Body> void each_lane(LaneMask lanes, Body body) {
    for (; lanes != 0; lanes &= lanes - 1) body(static_cast<size_t>(__builtin_ctz(lanes)));
}

}  // namespace

void Warp::start(LaneMask lanes) {
    started = live = lanes;
    state = State::Ready;
    reconverge_at(0);
    clock.fill(0);
    clock[static_cast<size_t>(index)] = 1;
    lane_epoch = 1;
    for (auto& pending : copies) pending.clear();
    copy_group.fill(0);
    steps = 0;
}

void Warp::set_next(LaneMask lanes, uint32_t pc) {
    next = pc;
    if (diverged) each_lane(lanes, [&](size_t l) { own_next[l] = pc; });
}

/// The lanes that run now: while diverged, those furthest back, up to where the next ones wait (`limit`). False: all wait for each other.
bool Warp::choose_group(LaneMask& lanes, uint32_t& pc, uint32_t& limit) {
    limit = ~0u;
    if (!diverged) {
        lanes = live;
        pc = next;
        return true;
    }
    pc = ~0u;
    each_lane(live & ~stalled, [&](size_t l) { pc = std::min(pc, own_next[l]); });
    if (pc == ~0u) return false;
    lanes = 0;
    each_lane(live, [&](size_t l) {
        if (own_next[l] == pc)
            lanes |= LaneMask{1} << l;
        else if (own_next[l] > pc)
            limit = std::min(limit, own_next[l]);
    });
    if (lanes != live) return true;
    reconverge_at(pc);
    limit = ~0u;
    return true;
}

void Warp::run() {
    int64_t budget = kSpinBudget;
    while (live != 0) {
        LaneMask lanes;
        uint32_t pc, limit;
        if (!choose_group(lanes, pc, limit)) {
            report_deadlock();
            live = 0;
            break;
        }
        if (!run_straight(lanes, pc, limit, budget)) {
            steps += static_cast<uint64_t>(kSpinBudget - budget);
            check_steps();
            return;
        }
    }
    state = State::Done;
}

/// A warp that waits for what never comes must not run for ever.
void Warp::check_steps() {
    const uint64_t most = Settings::get().steps;
    if (steps <= most) return;
    const int lane = __builtin_ctz(live);
    const uint32_t pc = diverged ? own_next[static_cast<size_t>(lane)] : next;
    block->report(Fault::Endless, *this, block->kernel().instructions[pc], lane,
                  "still running after " + std::to_string(steps) +
                      " instructions of the warp in this block (PTXMACHINE_STEPS=" + std::to_string(most) + ")");
    block->launch().abandoned = true;
}

/// Runs `lanes` together until they part, wait or meet others. False: the warp must pause.
bool Warp::run_straight(LaneMask lanes, uint32_t pc, uint32_t limit, int64_t& budget) {
    const auto& program = block->kernel().instructions;
    Count* counts = block->first_count();
    for (;; ++pc) {
        if (pc >= program.size()) {
            live &= ~lanes;
            stalled = 0;
            return true;
        }
        if (pc >= limit) {
            set_next(lanes, pc);
            return true;
        }
        const Instruction& i = program[pc];
        LaneMask active = lanes;
        if (i.guarded) {
            const LaneMask guard = *reinterpret_cast<const LaneMask*>(registers + i.guard_at);
            active &= i.guard_negated ? ~guard : guard;
        }
        Count& count = counts[pc];
        ++count.warps;
        count.lanes += static_cast<uint64_t>(__builtin_popcount(active));
        --budget;
        switch (i.flow) {
            case Flow::Next:
                if (active != 0) i.execute(*this, i, active);
                continue;
            case Flow::Branch:
                if (active == 0) continue;
                if (active == lanes) {
                    set_next(lanes, i.target);
                    return budget > 0;
                }
                ++count.divergent;
                if (!diverged) stalled = 0;
                diverged = true;
                set_next(lanes & ~active, pc + 1);
                set_next(active, i.target);
                return budget > 0;
            case Flow::Exit:
                live &= ~active;
                stalled = 0;
                if (active == lanes) return true;
                lanes &= ~active;
                continue;
            default:
                if (active == 0) continue;
                if (!collect(i, lanes, active, pc)) return true;
                if (i.flow == Flow::WarpCollective) {
                    i.execute(*this, i, active);
                    continue;
                }
                arrive(i, active);
                set_next(lanes, pc + 1);
                return false;
        }
    }
}

/// Whether the lanes that the instruction needs are all here. If some can still come, `group` waits; if not, that is a fault, and it goes
/// on.
bool Warp::collect(const Instruction& i, LaneMask group, LaneMask active, uint32_t pc) {
    const int first = __builtin_ctz(active);
    LaneMask named = started;
    if (i.mask_operand >= 0) {
        const auto& operand = i.operands[static_cast<size_t>(i.mask_operand)];
        const auto mask_of = [&](size_t l) { return static_cast<LaneMask>(read_lane(*this, operand, static_cast<int>(l))); };
        named = mask_of(static_cast<size_t>(first));
        LaneMask different = active & ~named;
        each_lane(active, [&](size_t l) { different |= mask_of(l) ^ named; });
        if (different != 0) check_masks(i, active, named);
    }
    if (diverged && (named & live & ~group) != 0) {
        set_next(group, pc);
        stalled |= group;
        return false;
    }
    stalled &= ~group;
    const bool barrier = i.flow == Flow::BlockBarrier;
    if (barrier ? (live & ~active) != 0 : (named & ~active) != 0) {
        const LaneMask missing = barrier ? live & ~active : named & ~active;
        const int lane = __builtin_ctz(missing);
        const bool ended = (missing & started & ~live) != 0, outside = (missing >> lane & 1 & ~(started >> lane)) != 0;
        block->report(barrier ? Fault::BarrierDivergence : Fault::WarpMask, *this, i, first,
                      "lane " + std::to_string(lane) + " is missing" +
                          (outside ? " (the block has no such thread)"
                           : ended ? " (it has ended)"
                                   : ""));
    }
    return true;
}

void Warp::check_masks(const Instruction& i, LaneMask active, LaneMask named) {
    const auto& operand = i.operands[static_cast<size_t>(i.mask_operand)];
    const int first = __builtin_ctz(active);
    each_lane(active, [&](size_t l) {
        const auto mask = static_cast<LaneMask>(read_lane(*this, operand, static_cast<int>(l)));
        if (mask != named && (mask >> first & 1) != 0)
            block->report(Fault::WarpMask, *this, i, static_cast<int>(l), "lanes of one warp instruction name different masks");
        if ((mask >> l & 1) == 0) block->report(Fault::WarpMask, *this, i, static_cast<int>(l), "the mask does not name the lane itself");
    });
}

void Warp::arrive(const Instruction& i, LaneMask active) {
    arrival = Arrival();
    arrival.instruction = &i;
    const bool reduces = i.operands.size() == 3;  // bar.red d, barrier, predicate
    const int lane = __builtin_ctz(active);
    if (reduces) arrival.predicate = predicate_of(*this, i.operands[2]) & active;
    arrival.barrier = static_cast<uint32_t>(read_lane(*this, i.operands[reduces ? 1 : 0], lane));
    if (!reduces && i.operands.size() > 1) arrival.threads = static_cast<uint32_t>(read_lane(*this, i.operands[1], lane));
    state = State::AtBarrier;
}

void Warp::report_deadlock() {
    const int lane = __builtin_ctz(live);
    const Instruction& i = block->kernel().instructions[own_next[static_cast<size_t>(lane)]];
    const bool barrier = i.flow == Flow::BlockBarrier;
    block->report(barrier ? Fault::BarrierDivergence : Fault::WarpMask, *this, i, lane,
                  "lanes of the warp wait for each other at different instructions: only some have reached this one");
}

}  // namespace vaccine::ptx
