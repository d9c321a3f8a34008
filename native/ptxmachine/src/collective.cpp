// What the lanes of a warp do together. That all named lanes are here has been checked (Warp::collect).
#include <algorithm>

#include "block.h"
#include "handlers.h"

namespace vaccine::ptx {

namespace {

/// `source(lane, b, low, high)` is the lane to read from; outside of [low, high] a lane keeps its own value and the predicate is false.
template <class Source> void shuffle(Warp& w, const Instruction& i, LaneMask lanes, Source source) {
    const uint32_t *a = lanes_of<uint32_t>(w, i, 1), *step = lanes_of<uint32_t>(w, i, 2), *limits = lanes_of<uint32_t>(w, i, 3);
    int from[kWarpSize];
    bool in[kWarpSize];
    for_lanes(lanes, [&](int l) {
        const int segment = static_cast<int>(limits[l] >> 8 & 31), clamp = static_cast<int>(limits[l] & 31);
        const int low = l & segment, high = low | (clamp & ~segment);
        bool inside = false;
        const int other = source(l, static_cast<int>(step[l] & 31), low, segment, high, inside);
        in[l] = inside;
        from[l] = inside ? other : l;
    });
    uint32_t result[kWarpSize];
    LaneMask inside = 0, absent = 0;
    for_lanes(lanes, [&](int l) {
        absent |= static_cast<LaneMask>((lanes >> from[l] & 1) == 0) << l;
        inside |= static_cast<LaneMask>(in[l]) << l;
        result[l] = a[from[l]];
    });
    for (; absent != 0; absent &= absent - 1) {
        const int l = __builtin_ctz(absent);
        w.block->report(Fault::WarpMask, w, i, l, "reads lane " + std::to_string(from[l]) + ", which does not take part");
    }
    uint32_t* d = lanes_of<uint32_t>(w, i, 0);
    for_lanes(lanes, [&](int l) { d[l] = result[l]; });
    if (i.operands[0].has_predicate) set_predicate(w, i.operands[0].predicate_at, inside, lanes);
}

void set_all(Warp& w, const Instruction& i, LaneMask lanes, bool value) {
    set_predicate(w, i.operands[0].at, value ? kAllLanes : 0, lanes);
}
template <class F> void reduce(Warp& w, const Instruction& i, LaneMask lanes, F f) {
    const uint32_t* a = lanes_of<uint32_t>(w, i, 1);
    uint32_t result = a[__builtin_ctz(lanes)];
    for (LaneMask rest = lanes & (lanes - 1); rest != 0; rest &= rest - 1) result = f(result, a[__builtin_ctz(rest)]);
    uint32_t* d = lanes_of<uint32_t>(w, i, 0);
    for_lanes(lanes, [=](int l) { d[l] = result; });
}
bool less(const Instruction& i, uint32_t a, uint32_t b) {
    return i.type == Type::S32 ? static_cast<int32_t>(a) < static_cast<int32_t>(b) : a < b;
}
LaneMask lanes_with(const Warp& w, const Instruction& i, LaneMask lanes, uint64_t value) {
    LaneMask equal = 0;
    for_lanes(lanes, [&](int l) { equal |= static_cast<LaneMask>(read_lane(w, i.operands[1], l) == value) << l; });
    return equal;
}

}  // namespace

void shuffle_up(Warp& w, const Instruction& i, LaneMask lanes) {
    shuffle(w, i, lanes, [](int l, int b, int, int, int high, bool& in) {
        in = l - b >= high;  // for up the clamp is the lower bound
        return l - b;
    });
}
void shuffle_down(Warp& w, const Instruction& i, LaneMask lanes) {
    shuffle(w, i, lanes, [](int l, int b, int, int, int high, bool& in) {
        in = l + b <= high;
        return l + b;
    });
}
void shuffle_butterfly(Warp& w, const Instruction& i, LaneMask lanes) {
    shuffle(w, i, lanes, [](int l, int b, int, int, int high, bool& in) {
        in = (l ^ b) <= high;
        return l ^ b;
    });
}
void shuffle_index(Warp& w, const Instruction& i, LaneMask lanes) {
    shuffle(w, i, lanes, [](int, int b, int low, int segment, int high, bool& in) {
        const int from = low | (b & ~segment);
        in = from <= high;
        return from;
    });
}

void vote_all(Warp& w, const Instruction& i, LaneMask lanes) {
    set_all(w, i, lanes, (predicate_of(w, i.operands[1]) & lanes) == lanes);
}
void vote_any(Warp& w, const Instruction& i, LaneMask lanes) {
    set_all(w, i, lanes, (predicate_of(w, i.operands[1]) & lanes) != 0);
}
void vote_uniform(Warp& w, const Instruction& i, LaneMask lanes) {
    const LaneMask votes = predicate_of(w, i.operands[1]) & lanes;
    set_all(w, i, lanes, votes == 0 || votes == lanes);
}
void vote_ballot(Warp& w, const Instruction& i, LaneMask lanes) {
    const LaneMask votes = predicate_of(w, i.operands[1]) & lanes;
    uint32_t* d = lanes_of<uint32_t>(w, i, 0);
    for_lanes(lanes, [=](int l) { d[l] = votes; });
}
void active_mask(Warp& w, const Instruction& i, LaneMask lanes) {
    uint32_t* d = lanes_of<uint32_t>(w, i, 0);
    for_lanes(lanes, [=](int l) { d[l] = lanes; });
}

void match_any(Warp& w, const Instruction& i, LaneMask lanes) {
    uint32_t result[kWarpSize];
    for_lanes(lanes, [&](int l) { result[l] = lanes_with(w, i, lanes, read_lane(w, i.operands[1], l)); });
    for_lanes(lanes, [&](int l) { write_lane(w, i.operands[0], l, result[l]); });
}
void match_all(Warp& w, const Instruction& i, LaneMask lanes) {
    const bool all = lanes_with(w, i, lanes, read_lane(w, i.operands[1], __builtin_ctz(lanes))) == lanes;
    for_lanes(lanes, [&](int l) { write_lane(w, i.operands[0], l, all ? lanes : 0); });
    if (i.operands[0].has_predicate) set_predicate(w, i.operands[0].predicate_at, all ? kAllLanes : 0, lanes);
}

void reduce_add(Warp& w, const Instruction& i, LaneMask lanes) {
    reduce(w, i, lanes, [](uint32_t a, uint32_t b) { return a + b; });
}
void reduce_min(Warp& w, const Instruction& i, LaneMask lanes) {
    reduce(w, i, lanes, [&](uint32_t a, uint32_t b) { return less(i, b, a) ? b : a; });
}
void reduce_max(Warp& w, const Instruction& i, LaneMask lanes) {
    reduce(w, i, lanes, [&](uint32_t a, uint32_t b) { return less(i, a, b) ? b : a; });
}
void reduce_and(Warp& w, const Instruction& i, LaneMask lanes) {
    reduce(w, i, lanes, [](uint32_t a, uint32_t b) { return a & b; });
}
void reduce_or(Warp& w, const Instruction& i, LaneMask lanes) {
    reduce(w, i, lanes, [](uint32_t a, uint32_t b) { return a | b; });
}
void reduce_xor(Warp& w, const Instruction& i, LaneMask lanes) {
    reduce(w, i, lanes, [](uint32_t a, uint32_t b) { return a ^ b; });
}

/// Only this orders the memory of lanes; the other collectives do not.
void synchronise_lanes(Warp& w, const Instruction&, LaneMask) {
    ++w.lane_epoch;
}

}  // namespace vaccine::ptx
