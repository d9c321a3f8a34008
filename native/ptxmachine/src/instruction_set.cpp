#include "instruction_set.h"

#include <set>
#include <unordered_map>

#include "arithmetic.h"
#include "handlers.h"

namespace vaccine::ptx {

namespace {

using U16 = uint16_t;
using U32 = uint32_t;
using U64 = uint64_t;
using S16 = int16_t;
using S32 = int32_t;
using S64 = int64_t;
using U128 = unsigned __int128;
using S128 = __int128;
using Op = AtomicOperation;

/// min and max of fp32 with .ftz or .NaN.
template <bool LARGEST> void extreme_careful(Warp& w, const Instruction& i, LaneMask lanes) {
    float* d = lanes_of<float>(w, i, 0);
    const float *a = lanes_of<float>(w, i, 1), *b = lanes_of<float>(w, i, 2);
    for_lanes(lanes, [&](int l) {
        d[l] = i.flush ? extreme(flushed(a[l]), flushed(b[l]), LARGEST, i.keep_nan) : extreme(a[l], b[l], LARGEST, i.keep_nan);
    });
}
/// setp with .ftz: subnormal operands compare as zero.
void compare_flushed(Warp& w, const Instruction& i, LaneMask lanes) {
    float flushed_values[2][kWarpSize];
    for (int operand = 0; operand < 2; ++operand)
        for (int l = 0; l < kWarpSize; ++l) flushed_values[operand][l] = flushed(lanes_of<float>(w, i, operand + 1)[l]);
    compare_values(w, i, lanes, flushed_values[0], flushed_values[1]);
}

// clang-format off
const std::vector<Row> kRows = {
    // Integers.
    {"add.u16", "ttt", Kind::Integer, binary<U16, Add>},           {"add.s16", "ttt", Kind::Integer, binary<U16, Add>},
    {"add.u32", "ttt", Kind::Integer, binary<U32, Add>},           {"add.s32", "ttt", Kind::Integer, binary<U32, Add>},
    {"add.u64", "ttt", Kind::Integer, binary<U64, Add>},           {"add.s64", "ttt", Kind::Integer, binary<U64, Add>},
    {"sub.u16", "ttt", Kind::Integer, binary<U16, Subtract>},      {"sub.s16", "ttt", Kind::Integer, binary<U16, Subtract>},
    {"sub.u32", "ttt", Kind::Integer, binary<U32, Subtract>},      {"sub.s32", "ttt", Kind::Integer, binary<U32, Subtract>},
    {"sub.u64", "ttt", Kind::Integer, binary<U64, Subtract>},      {"sub.s64", "ttt", Kind::Integer, binary<U64, Subtract>},
    {"mul.lo.u16", "ttt", Kind::Integer, binary<U16, Multiply>},   {"mul.lo.s16", "ttt", Kind::Integer, binary<U16, Multiply>},
    {"mul.lo.u32", "ttt", Kind::Integer, binary<U32, Multiply>},   {"mul.lo.s32", "ttt", Kind::Integer, binary<U32, Multiply>},
    {"mul.lo.u64", "ttt", Kind::Integer, binary<U64, Multiply>},   {"mul.lo.s64", "ttt", Kind::Integer, binary<U64, Multiply>},
    {"mul.hi.u16", "ttt", Kind::Integer, binary<U16, MultiplyHigh<U32>>},  {"mul.hi.s16", "ttt", Kind::Integer, binary<S16, MultiplyHigh<S32>>},
    {"mul.hi.u32", "ttt", Kind::Integer, binary<U32, MultiplyHigh<U64>>},  {"mul.hi.s32", "ttt", Kind::Integer, binary<S32, MultiplyHigh<S64>>},
    {"mul.hi.u64", "ttt", Kind::Integer, binary<U64, MultiplyHigh<U128>>}, {"mul.hi.s64", "ttt", Kind::Integer, binary<S64, MultiplyHigh<S128>>},
    {"mul.wide.u16", "wtt", Kind::Integer, multiply_wide<U32, U16, 2>},    {"mul.wide.s16", "wtt", Kind::Integer, multiply_wide<S32, S16, 2>},
    {"mul.wide.u32", "wtt", Kind::Integer, multiply_wide<U64, U32, 2>},    {"mul.wide.s32", "wtt", Kind::Integer, multiply_wide<S64, S32, 2>},
    {"mad.lo.u16", "tttt", Kind::Integer, ternary<U16, MultiplyAdd>},      {"mad.lo.s16", "tttt", Kind::Integer, ternary<U16, MultiplyAdd>},
    {"mad.lo.u32", "tttt", Kind::Integer, ternary<U32, MultiplyAdd>},      {"mad.lo.s32", "tttt", Kind::Integer, ternary<U32, MultiplyAdd>},
    {"mad.lo.u64", "tttt", Kind::Integer, ternary<U64, MultiplyAdd>},      {"mad.lo.s64", "tttt", Kind::Integer, ternary<U64, MultiplyAdd>},
    {"mad.hi.u32", "tttt", Kind::Integer, ternary<U32, MultiplyHighAdd<U64>>}, {"mad.hi.s32", "tttt", Kind::Integer, ternary<S32, MultiplyHighAdd<S64>>},
    {"mad.wide.u16", "wttw", Kind::Integer, multiply_wide<U32, U16, 3>},   {"mad.wide.s16", "wttw", Kind::Integer, multiply_wide<S32, S16, 3>},
    {"mad.wide.u32", "wttw", Kind::Integer, multiply_wide<U64, U32, 3>},   {"mad.wide.s32", "wttw", Kind::Integer, multiply_wide<S64, S32, 3>},
    {"div.u16", "ttt", Kind::Integer, binary<U16, Divide>},        {"div.s16", "ttt", Kind::Integer, binary<S16, Divide>},
    {"div.u32", "ttt", Kind::Integer, binary<U32, Divide>},        {"div.s32", "ttt", Kind::Integer, binary<S32, Divide>},
    {"div.u64", "ttt", Kind::Integer, binary<U64, Divide>},        {"div.s64", "ttt", Kind::Integer, binary<S64, Divide>},
    {"rem.u16", "ttt", Kind::Integer, binary<U16, Remainder>},     {"rem.s16", "ttt", Kind::Integer, binary<S16, Remainder>},
    {"rem.u32", "ttt", Kind::Integer, binary<U32, Remainder>},     {"rem.s32", "ttt", Kind::Integer, binary<S32, Remainder>},
    {"rem.u64", "ttt", Kind::Integer, binary<U64, Remainder>},     {"rem.s64", "ttt", Kind::Integer, binary<S64, Remainder>},
    {"min.u16", "ttt", Kind::Integer, binary<U16, Extreme<false>>}, {"min.s16", "ttt", Kind::Integer, binary<S16, Extreme<false>>},
    {"min.u32", "ttt", Kind::Integer, binary<U32, Extreme<false>>}, {"min.s32", "ttt", Kind::Integer, binary<S32, Extreme<false>>},
    {"min.u64", "ttt", Kind::Integer, binary<U64, Extreme<false>>}, {"min.s64", "ttt", Kind::Integer, binary<S64, Extreme<false>>},
    {"max.u16", "ttt", Kind::Integer, binary<U16, Extreme<true>>}, {"max.s16", "ttt", Kind::Integer, binary<S16, Extreme<true>>},
    {"max.u32", "ttt", Kind::Integer, binary<U32, Extreme<true>>}, {"max.s32", "ttt", Kind::Integer, binary<S32, Extreme<true>>},
    {"max.u64", "ttt", Kind::Integer, binary<U64, Extreme<true>>}, {"max.s64", "ttt", Kind::Integer, binary<S64, Extreme<true>>},
    {"abs.s16", "tt", Kind::Integer, unary<U16, Absolute>},        {"neg.s16", "tt", Kind::Integer, unary<U16, Negate>},
    {"abs.s32", "tt", Kind::Integer, unary<U32, Absolute>},        {"neg.s32", "tt", Kind::Integer, unary<U32, Negate>},
    {"abs.s64", "tt", Kind::Integer, unary<U64, Absolute>},        {"neg.s64", "tt", Kind::Integer, unary<U64, Negate>},
    {"and.b16", "ttt", Kind::Integer, binary<U16, And>}, {"or.b16", "ttt", Kind::Integer, binary<U16, Or>}, {"xor.b16", "ttt", Kind::Integer, binary<U16, Xor>},
    {"and.b32", "ttt", Kind::Integer, binary<U32, And>}, {"or.b32", "ttt", Kind::Integer, binary<U32, Or>}, {"xor.b32", "ttt", Kind::Integer, binary<U32, Xor>},
    {"and.b64", "ttt", Kind::Integer, binary<U64, And>}, {"or.b64", "ttt", Kind::Integer, binary<U64, Or>}, {"xor.b64", "ttt", Kind::Integer, binary<U64, Xor>},
    {"not.b16", "tt", Kind::Integer, unary<U16, Not>},   {"not.b32", "tt", Kind::Integer, unary<U32, Not>}, {"not.b64", "tt", Kind::Integer, unary<U64, Not>},
    {"and.pred", "ppp", Kind::Integer, combine_predicates_and}, {"or.pred", "ppp", Kind::Integer, combine_predicates_or},
    {"xor.pred", "ppp", Kind::Integer, combine_predicates_xor}, {"not.pred", "pp", Kind::Integer, invert_predicate},
    {"shl.b16", "ttu", Kind::Integer, shift<U16, true>},  {"shl.b32", "ttu", Kind::Integer, shift<U32, true>},  {"shl.b64", "ttu", Kind::Integer, shift<U64, true>},
    {"shr.b16", "ttu", Kind::Integer, shift<U16, false>}, {"shr.b32", "ttu", Kind::Integer, shift<U32, false>}, {"shr.b64", "ttu", Kind::Integer, shift<U64, false>},
    {"shr.u16", "ttu", Kind::Integer, shift<U16, false>}, {"shr.u32", "ttu", Kind::Integer, shift<U32, false>}, {"shr.u64", "ttu", Kind::Integer, shift<U64, false>},
    {"shr.s16", "ttu", Kind::Integer, shift<S16, false>}, {"shr.s32", "ttu", Kind::Integer, shift<S32, false>}, {"shr.s64", "ttu", Kind::Integer, shift<S64, false>},
    {"shf.l.wrap.b32", "tttu", Kind::Integer, funnel_shift_left_wrap},  {"shf.l.clamp.b32", "tttu", Kind::Integer, funnel_shift_left_clamp},
    {"shf.r.wrap.b32", "tttu", Kind::Integer, funnel_shift_right_wrap}, {"shf.r.clamp.b32", "tttu", Kind::Integer, funnel_shift_right_clamp},
    {"popc.b32", "ut", Kind::Integer, count_ones}, {"popc.b64", "ut", Kind::Integer, count_ones},
    {"clz.b32", "ut", Kind::Integer, count_leading_zeros}, {"clz.b64", "ut", Kind::Integer, count_leading_zeros},
    {"brev.b32", "tt", Kind::Integer, reverse_bits}, {"brev.b64", "tt", Kind::Integer, reverse_bits},
    {"bfind.u32", "ut", Kind::Integer, find_leading_bit}, {"bfind.s32", "ut", Kind::Integer, find_leading_bit},
    {"bfind.u64", "ut", Kind::Integer, find_leading_bit}, {"bfind.s64", "ut", Kind::Integer, find_leading_bit},
    {"bfind.shiftamt.u32", "ut", Kind::Integer, find_leading_bit_shift}, {"bfind.shiftamt.u64", "ut", Kind::Integer, find_leading_bit_shift},
    {"bfe.u32", "ttuu", Kind::Integer, extract_bits}, {"bfe.s32", "ttuu", Kind::Integer, extract_bits},
    {"bfe.u64", "ttuu", Kind::Integer, extract_bits}, {"bfe.s64", "ttuu", Kind::Integer, extract_bits},
    {"bfi.b32", "tttuu", Kind::Integer, insert_bits}, {"bfi.b64", "tttuu", Kind::Integer, insert_bits},
    {"prmt.b32", "tttt", Kind::Integer, permute_bytes}, {"lop3.b32", "tttti", Kind::Integer, lookup_three},
    {"dp4a.s32", "tttt", Kind::Integer, dot_four_signed}, {"dp4a.u32", "tttt", Kind::Integer, dot_four_unsigned},

    // Floating point.
    {"add.f32", "ttt", Kind::Float, binary<float, Add>, careful<Add, 2>},           {"add.f64", "ttt", Kind::Float, binary<double, Add>},
    {"sub.f32", "ttt", Kind::Float, binary<float, Subtract>, careful<Subtract, 2>}, {"sub.f64", "ttt", Kind::Float, binary<double, Subtract>},
    {"mul.f32", "ttt", Kind::Float, binary<float, Multiply>, careful<Multiply, 2>}, {"mul.f64", "ttt", Kind::Float, binary<double, Multiply>},
    {"fma.f32", "tttt", Kind::Float, ternary<float, FusedMultiplyAdd>, careful<FusedMultiplyAdd, 3>}, {"fma.f64", "tttt", Kind::Float, ternary<double, FusedMultiplyAdd>},
    {"mad.f32", "tttt", Kind::Float, ternary<float, FusedMultiplyAdd>, careful<FusedMultiplyAdd, 3>}, {"mad.f64", "tttt", Kind::Float, ternary<double, FusedMultiplyAdd>},
    {"div.f32", "ttt", Kind::Special, binary<float, Divide>, careful<Divide, 2>},   {"div.f64", "ttt", Kind::Special, binary<double, Divide>},
    {"min.f32", "ttt", Kind::Float, binary<float, Extreme<false>>, extreme_careful<false>}, {"min.f64", "ttt", Kind::Float, binary<double, Extreme<false>>},
    {"max.f32", "ttt", Kind::Float, binary<float, Extreme<true>>, extreme_careful<true>},   {"max.f64", "ttt", Kind::Float, binary<double, Extreme<true>>},
    {"abs.f32", "tt", Kind::Float, unary<U32, ClearBits<0x80000000>>, unary<U32, ClearBits<0x80000000>>}, {"abs.f64", "tt", Kind::Float, unary<U64, ClearBits<1ull << 63>>},
    {"neg.f32", "tt", Kind::Float, unary<U32, FlipBits<0x80000000>>, unary<U32, FlipBits<0x80000000>>},   {"neg.f64", "tt", Kind::Float, unary<U64, FlipBits<1ull << 63>>},
    {"copysign.f32", "ttt", Kind::Float, binary<U32, CopySign>},
    {"ex2.f32", "tt", Kind::Special, unary<float, Exp2>, careful<Exp2, 1>},         {"lg2.f32", "tt", Kind::Special, unary<float, Log2>, careful<Log2, 1>},
    {"rcp.f32", "tt", Kind::Special, unary<float, Reciprocal>, careful<Reciprocal, 1>}, {"rcp.f64", "tt", Kind::Special, unary<double, Reciprocal>, unary<double, Reciprocal>},
    {"sqrt.f32", "tt", Kind::Special, unary<float, SquareRoot>, careful<SquareRoot, 1>}, {"sqrt.f64", "tt", Kind::Special, unary<double, SquareRoot>},
    {"rsqrt.f32", "tt", Kind::Special, unary<float, ReciprocalRoot>, careful<ReciprocalRoot, 1>}, {"rsqrt.f64", "tt", Kind::Special, unary<double, ReciprocalRoot>, unary<double, ReciprocalRoot>},
    {"sin.f32", "tt", Kind::Special, unary<float, Sine>, careful<Sine, 1>},         {"cos.f32", "tt", Kind::Special, unary<float, Cosine>, careful<Cosine, 1>},
    {"tanh.f32", "tt", Kind::Special, unary<float, Tangent>},
    {"ex2.f16", "tt", Kind::Special, unary<F16, Exp2>}, {"ex2.f16x2", "tt", Kind::Special, unary<F16x2, Exp2>}, {"tanh.f16", "tt", Kind::Special, unary<F16, Tangent>},
    {"ex2.bf16", "tt", Kind::Special, unary<BF16, Exp2>, unary<BF16, Exp2>}, {"ex2.bf16x2", "tt", Kind::Special, unary<BF16x2, Exp2>, unary<BF16x2, Exp2>}, {"tanh.bf16", "tt", Kind::Special, unary<BF16, Tangent>},

    // Half precision, one value and pairs.
    {"add.f16", "ttt", Kind::Half, binary<F16, Add>},      {"add.f16x2", "ttt", Kind::Half, binary<F16x2, Add>},
    {"sub.f16", "ttt", Kind::Half, binary<F16, Subtract>}, {"sub.f16x2", "ttt", Kind::Half, binary<F16x2, Subtract>},
    {"mul.f16", "ttt", Kind::Half, binary<F16, Multiply>}, {"mul.f16x2", "ttt", Kind::Half, binary<F16x2, Multiply>},
    {"add.bf16", "ttt", Kind::Half, binary<BF16, Add>},    {"add.bf16x2", "ttt", Kind::Half, binary<BF16x2, Add>},
    {"sub.bf16", "ttt", Kind::Half, binary<BF16, Subtract>}, {"sub.bf16x2", "ttt", Kind::Half, binary<BF16x2, Subtract>},
    {"mul.bf16", "ttt", Kind::Half, binary<BF16, Multiply>}, {"mul.bf16x2", "ttt", Kind::Half, binary<BF16x2, Multiply>},
    {"fma.f16", "tttt", Kind::Half, ternary<F16, FusedMultiplyAdd>, ternary<F16, FusedMultiplyAddRelu>},
    {"fma.f16x2", "tttt", Kind::Half, ternary<F16x2, FusedMultiplyAdd>, ternary<F16x2, FusedMultiplyAddRelu>},
    {"fma.bf16", "tttt", Kind::Half, ternary<BF16, FusedMultiplyAdd>, ternary<BF16, FusedMultiplyAddRelu>},
    {"fma.bf16x2", "tttt", Kind::Half, ternary<BF16x2, FusedMultiplyAdd>, ternary<BF16x2, FusedMultiplyAddRelu>},
    {"min.f16", "ttt", Kind::Half, binary<F16, Extreme<false>>, binary<F16, Extreme<false, true>>},
    {"max.f16", "ttt", Kind::Half, binary<F16, Extreme<true>>, binary<F16, Extreme<true, true>>},
    {"min.f16x2", "ttt", Kind::Half, binary<F16x2, Extreme<false>>, binary<F16x2, Extreme<false, true>>},
    {"max.f16x2", "ttt", Kind::Half, binary<F16x2, Extreme<true>>, binary<F16x2, Extreme<true, true>>},
    {"min.bf16", "ttt", Kind::Half, binary<BF16, Extreme<false>>, binary<BF16, Extreme<false, true>>},
    {"max.bf16", "ttt", Kind::Half, binary<BF16, Extreme<true>>, binary<BF16, Extreme<true, true>>},
    {"min.bf16x2", "ttt", Kind::Half, binary<BF16x2, Extreme<false>>, binary<BF16x2, Extreme<false, true>>},
    {"max.bf16x2", "ttt", Kind::Half, binary<BF16x2, Extreme<true>>, binary<BF16x2, Extreme<true, true>>},
    {"abs.f16", "tt", Kind::Half, unary<U16, ClearBits<0x8000>>},  {"abs.f16x2", "tt", Kind::Half, unary<U32, ClearBits<0x80008000>>},
    {"abs.bf16", "tt", Kind::Half, unary<U16, ClearBits<0x8000>>}, {"abs.bf16x2", "tt", Kind::Half, unary<U32, ClearBits<0x80008000>>},
    {"neg.f16", "tt", Kind::Half, unary<U16, FlipBits<0x8000>>},   {"neg.f16x2", "tt", Kind::Half, unary<U32, FlipBits<0x80008000>>},
    {"neg.bf16", "tt", Kind::Half, unary<U16, FlipBits<0x8000>>},  {"neg.bf16x2", "tt", Kind::Half, unary<U32, FlipBits<0x80008000>>},

    // Comparison, choice, moves, conversion.
    {"setp.u16", "ptt?p", Kind::Integer, compare_lanes<U16>}, {"setp.s16", "ptt?p", Kind::Integer, compare_lanes<S16>}, {"setp.b16", "ptt?p", Kind::Integer, compare_lanes<U16>},
    {"setp.u32", "ptt?p", Kind::Integer, compare_lanes<U32>}, {"setp.s32", "ptt?p", Kind::Integer, compare_lanes<S32>}, {"setp.b32", "ptt?p", Kind::Integer, compare_lanes<U32>},
    {"setp.u64", "ptt?p", Kind::Integer, compare_lanes<U64>}, {"setp.s64", "ptt?p", Kind::Integer, compare_lanes<S64>}, {"setp.b64", "ptt?p", Kind::Integer, compare_lanes<U64>},
    {"setp.f32", "ptt?p", Kind::Float, compare_lanes<float>, compare_flushed}, {"setp.f64", "ptt?p", Kind::Float, compare_lanes<double>},
    {"setp.f16", "ptt?p", Kind::Half, compare_lanes<F16>},    {"setp.bf16", "ptt?p", Kind::Half, compare_lanes<BF16>},
    {"set", "dtt", Kind::Integer, compare_into_register, compare_into_register}, {"slct", "dddt", Kind::Integer, select_by_sign, select_by_sign},
    {"selp.16", "tttp", Kind::Integer, select<U16>}, {"selp.32", "tttp", Kind::Integer, select<U32>}, {"selp.64", "tttp", Kind::Integer, select<U64>},
    {"mov", "mm", Kind::Move, move}, {"mov.pred", "pp", Kind::Move, move_predicate},
    {"cvt", "vv", Kind::Convert, convert, convert}, {"cvt.pair", "dtt", Kind::Convert, convert_pair, convert_pair},
    {"cvta", "tt", Kind::Integer, convert_address}, {"cvta.to", "tt", Kind::Integer, convert_address_to}, {"isspacep", "pl", Kind::Integer, test_space},

    // Memory. The kind of a load or store follows its state space.
    {"ld", "va", Kind::Global, load}, {"ld.param", "va", Kind::Move, load_parameter}, {"st", "av", Kind::Global, store}, {"st.param", "av", Kind::Move, store_call_argument},
    {"atom.add.u32", "tat", Kind::Atomic, atomic<Op::Add>}, {"atom.add.s32", "tat", Kind::Atomic, atomic<Op::Add>}, {"atom.add.u64", "tat", Kind::Atomic, atomic<Op::Add>},
    {"atom.add.f32", "tat", Kind::Atomic, atomic<Op::Add>}, {"atom.add.f64", "tat", Kind::Atomic, atomic<Op::Add>}, {"atom.add.f16", "tat", Kind::Atomic, atomic<Op::Add>},
    {"atom.add.f16x2", "tat", Kind::Atomic, atomic<Op::Add>}, {"atom.add.bf16", "tat", Kind::Atomic, atomic<Op::Add>}, {"atom.add.bf16x2", "tat", Kind::Atomic, atomic<Op::Add>},
    {"atom.min.u32", "tat", Kind::Atomic, atomic<Op::Min>}, {"atom.min.s32", "tat", Kind::Atomic, atomic<Op::Min>}, {"atom.min.u64", "tat", Kind::Atomic, atomic<Op::Min>}, {"atom.min.s64", "tat", Kind::Atomic, atomic<Op::Min>},
    {"atom.max.u32", "tat", Kind::Atomic, atomic<Op::Max>}, {"atom.max.s32", "tat", Kind::Atomic, atomic<Op::Max>}, {"atom.max.u64", "tat", Kind::Atomic, atomic<Op::Max>}, {"atom.max.s64", "tat", Kind::Atomic, atomic<Op::Max>},
    {"atom.and.b32", "tat", Kind::Atomic, atomic<Op::And>}, {"atom.or.b32", "tat", Kind::Atomic, atomic<Op::Or>}, {"atom.xor.b32", "tat", Kind::Atomic, atomic<Op::Xor>},
    {"atom.and.b64", "tat", Kind::Atomic, atomic<Op::And>}, {"atom.or.b64", "tat", Kind::Atomic, atomic<Op::Or>}, {"atom.xor.b64", "tat", Kind::Atomic, atomic<Op::Xor>},
    {"atom.exch.b32", "tat", Kind::Atomic, atomic<Op::Exchange>}, {"atom.exch.b64", "tat", Kind::Atomic, atomic<Op::Exchange>},
    {"atom.cas.b16", "tatt", Kind::Atomic, atomic<Op::CompareExchange>}, {"atom.cas.b32", "tatt", Kind::Atomic, atomic<Op::CompareExchange>}, {"atom.cas.b64", "tatt", Kind::Atomic, atomic<Op::CompareExchange>},
    {"atom.inc.u32", "tat", Kind::Atomic, atomic<Op::Increment>}, {"atom.dec.u32", "tat", Kind::Atomic, atomic<Op::Decrement>},
    {"cp.async", "aai?u", Kind::Copy, cp_async}, {"cp.async.commit_group", "", Kind::Copy, cp_async_commit},
    {"cp.async.wait_group", "i", Kind::Sync, wait_copies}, {"cp.async.wait_all", "", Kind::Sync, wait_all_copies},
    {"ldmatrix", "xa", Kind::Shared, load_matrix, nullptr, Flow::WarpCollective},

    // Tensor cores: m16n8.
    {"mma.m16n8k16.f32.bf16.bf16.f32", "xxxx", Kind::Tensor, multiply_matrices, nullptr, Flow::WarpCollective},
    {"mma.m16n8k16.f32.f16.f16.f32", "xxxx", Kind::Tensor, multiply_matrices, nullptr, Flow::WarpCollective},
    {"mma.m16n8k16.f16.f16.f16.f16", "xxxx", Kind::Tensor, multiply_matrices, nullptr, Flow::WarpCollective},
    {"mma.m16n8k8.f32.bf16.bf16.f32", "xxxx", Kind::Tensor, multiply_matrices, nullptr, Flow::WarpCollective},
    {"mma.m16n8k8.f32.f16.f16.f32", "xxxx", Kind::Tensor, multiply_matrices, nullptr, Flow::WarpCollective},
    {"mma.m16n8k8.f32.tf32.tf32.f32", "xxxx", Kind::Tensor, multiply_matrices, nullptr, Flow::WarpCollective},
    {"mma.m16n8k4.f32.tf32.tf32.f32", "xxxx", Kind::Tensor, multiply_matrices, nullptr, Flow::WarpCollective},
    {"mma.m16n8k16.s32.s8.s8.s32", "xxxx", Kind::Tensor, multiply_integer_matrices, nullptr, Flow::WarpCollective},
    {"mma.m16n8k32.s32.s8.s8.s32", "xxxx", Kind::Tensor, multiply_integer_matrices, nullptr, Flow::WarpCollective},

    // Lanes of a warp.
    {"shfl.sync.up.b32", "tttuu", Kind::Sync, shuffle_up, nullptr, Flow::WarpCollective, 4},
    {"shfl.sync.down.b32", "tttuu", Kind::Sync, shuffle_down, nullptr, Flow::WarpCollective, 4},
    {"shfl.sync.bfly.b32", "tttuu", Kind::Sync, shuffle_butterfly, nullptr, Flow::WarpCollective, 4},
    {"shfl.sync.idx.b32", "tttuu", Kind::Sync, shuffle_index, nullptr, Flow::WarpCollective, 4},
    {"vote.sync.all.pred", "ppu", Kind::Sync, vote_all, nullptr, Flow::WarpCollective, 2},
    {"vote.sync.any.pred", "ppu", Kind::Sync, vote_any, nullptr, Flow::WarpCollective, 2},
    {"vote.sync.uni.pred", "ppu", Kind::Sync, vote_uniform, nullptr, Flow::WarpCollective, 2},
    {"vote.sync.ballot.b32", "tpu", Kind::Sync, vote_ballot, nullptr, Flow::WarpCollective, 2},
    {"activemask.b32", "t", Kind::Sync, active_mask},
    {"match.any.sync.b32", "utu", Kind::Sync, match_any, nullptr, Flow::WarpCollective, 2}, {"match.any.sync.b64", "utu", Kind::Sync, match_any, nullptr, Flow::WarpCollective, 2},
    {"match.all.sync.b32", "utu", Kind::Sync, match_all, nullptr, Flow::WarpCollective, 2}, {"match.all.sync.b64", "utu", Kind::Sync, match_all, nullptr, Flow::WarpCollective, 2},
    {"redux.sync.add.u32", "ttu", Kind::Sync, reduce_add, nullptr, Flow::WarpCollective, 2}, {"redux.sync.add.s32", "ttu", Kind::Sync, reduce_add, nullptr, Flow::WarpCollective, 2},
    {"redux.sync.min.u32", "ttu", Kind::Sync, reduce_min, nullptr, Flow::WarpCollective, 2}, {"redux.sync.min.s32", "ttu", Kind::Sync, reduce_min, nullptr, Flow::WarpCollective, 2},
    {"redux.sync.max.u32", "ttu", Kind::Sync, reduce_max, nullptr, Flow::WarpCollective, 2}, {"redux.sync.max.s32", "ttu", Kind::Sync, reduce_max, nullptr, Flow::WarpCollective, 2},
    {"redux.sync.and.b32", "ttu", Kind::Sync, reduce_and, nullptr, Flow::WarpCollective, 2}, {"redux.sync.or.b32", "ttu", Kind::Sync, reduce_or, nullptr, Flow::WarpCollective, 2},
    {"redux.sync.xor.b32", "ttu", Kind::Sync, reduce_xor, nullptr, Flow::WarpCollective, 2},
    {"bar.warp.sync", "u", Kind::Sync, synchronise_lanes, nullptr, Flow::WarpCollective, 0},

    // Barriers of a block, control.
    {"bar.sync", "u?u", Kind::Sync, nothing, nullptr, Flow::BlockBarrier},
    {"bar.red.popc.u32", "tup", Kind::Sync, nothing, nullptr, Flow::BlockBarrier},
    {"bar.red.and.pred", "pup", Kind::Sync, nothing, nullptr, Flow::BlockBarrier}, {"bar.red.or.pred", "pup", Kind::Sync, nothing, nullptr, Flow::BlockBarrier},
    {"bra", "", Kind::Control, nothing, nullptr, Flow::Branch}, {"ret", "", Kind::Control, nothing, nullptr, Flow::Exit}, {"exit", "", Kind::Control, nothing, nullptr, Flow::Exit},
    {"trap", "", Kind::Control, trap}, {"brkpt", "", Kind::Control, trap}, {"call", "", Kind::Control, call_host},
    {"membar", "", Kind::Sync, fence}, {"fence", "", Kind::Sync, fence}, {"nanosleep", "", Kind::Control, nothing}, {"prefetch", "", Kind::Control, nothing}, {"prefetchu", "", Kind::Control, nothing},
};
// clang-format on

}  // namespace

const std::vector<Row>& instruction_set() {
    return kRows;
}

namespace {

std::set<const Row*>& rows_in_use() {
    static std::set<const Row*> rows;
    return rows;
}

}  // namespace

std::vector<std::string> unused_patterns() {
    std::vector<std::string> patterns;
    for (const Row& row : kRows)
        if (rows_in_use().count(&row) == 0) patterns.emplace_back(row.pattern);
    return patterns;
}

const Row* find_row(const std::string& pattern) {
    static const auto index = [] {
        std::unordered_map<std::string, const Row*> rows;
        for (const Row& row : kRows) rows[row.pattern] = &row;
        return rows;
    }();
    const auto found = index.find(pattern);
    if (found == index.end()) return nullptr;
    rows_in_use().insert(found->second);
    return found->second;
}

}  // namespace vaccine::ptx
