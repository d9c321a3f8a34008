// Instructions that are more than arithmetic on one lane. Each is described beside its body.
#pragma once
#include "warp.h"

namespace vaccine::ptx {

// bits.cpp
void move(Warp& warp, const Instruction& instruction, LaneMask lanes);
void move_predicate(Warp& warp, const Instruction& instruction, LaneMask lanes);
void combine_predicates_and(Warp& warp, const Instruction& instruction, LaneMask lanes);
void combine_predicates_or(Warp& warp, const Instruction& instruction, LaneMask lanes);
void combine_predicates_xor(Warp& warp, const Instruction& instruction, LaneMask lanes);
void invert_predicate(Warp& warp, const Instruction& instruction, LaneMask lanes);
void funnel_shift_left_wrap(Warp& warp, const Instruction& instruction, LaneMask lanes);
void funnel_shift_left_clamp(Warp& warp, const Instruction& instruction, LaneMask lanes);
void funnel_shift_right_wrap(Warp& warp, const Instruction& instruction, LaneMask lanes);
void funnel_shift_right_clamp(Warp& warp, const Instruction& instruction, LaneMask lanes);
void count_ones(Warp& warp, const Instruction& instruction, LaneMask lanes);
void count_leading_zeros(Warp& warp, const Instruction& instruction, LaneMask lanes);
void reverse_bits(Warp& warp, const Instruction& instruction, LaneMask lanes);
void find_leading_bit(Warp& warp, const Instruction& instruction, LaneMask lanes);
void find_leading_bit_shift(Warp& warp, const Instruction& instruction, LaneMask lanes);
void extract_bits(Warp& warp, const Instruction& instruction, LaneMask lanes);
void insert_bits(Warp& warp, const Instruction& instruction, LaneMask lanes);
void permute_bytes(Warp& warp, const Instruction& instruction, LaneMask lanes);
void lookup_three(Warp& warp, const Instruction& instruction, LaneMask lanes);
void dot_four_signed(Warp& warp, const Instruction& instruction, LaneMask lanes);
void dot_four_unsigned(Warp& warp, const Instruction& instruction, LaneMask lanes);
void compare_into_register(Warp& warp, const Instruction& instruction, LaneMask lanes);
void select_by_sign(Warp& warp, const Instruction& instruction, LaneMask lanes);

// convert.cpp
void convert(Warp& warp, const Instruction& instruction, LaneMask lanes);
void convert_pair(Warp& warp, const Instruction& instruction, LaneMask lanes);
void convert_address(Warp& warp, const Instruction& instruction, LaneMask lanes);
void convert_address_to(Warp& warp, const Instruction& instruction, LaneMask lanes);
void test_space(Warp& warp, const Instruction& instruction, LaneMask lanes);

// collective.cpp
void shuffle_up(Warp& warp, const Instruction& instruction, LaneMask lanes);
void shuffle_down(Warp& warp, const Instruction& instruction, LaneMask lanes);
void shuffle_butterfly(Warp& warp, const Instruction& instruction, LaneMask lanes);
void shuffle_index(Warp& warp, const Instruction& instruction, LaneMask lanes);
void vote_all(Warp& warp, const Instruction& instruction, LaneMask lanes);
void vote_any(Warp& warp, const Instruction& instruction, LaneMask lanes);
void vote_uniform(Warp& warp, const Instruction& instruction, LaneMask lanes);
void vote_ballot(Warp& warp, const Instruction& instruction, LaneMask lanes);
void active_mask(Warp& warp, const Instruction& instruction, LaneMask lanes);
void match_any(Warp& warp, const Instruction& instruction, LaneMask lanes);
void match_all(Warp& warp, const Instruction& instruction, LaneMask lanes);
void reduce_add(Warp& warp, const Instruction& instruction, LaneMask lanes);
void reduce_min(Warp& warp, const Instruction& instruction, LaneMask lanes);
void reduce_max(Warp& warp, const Instruction& instruction, LaneMask lanes);
void reduce_and(Warp& warp, const Instruction& instruction, LaneMask lanes);
void reduce_or(Warp& warp, const Instruction& instruction, LaneMask lanes);
void reduce_xor(Warp& warp, const Instruction& instruction, LaneMask lanes);
void synchronise_lanes(Warp& warp, const Instruction& instruction, LaneMask lanes);

// tensor.cpp
void load_matrix(Warp& warp, const Instruction& instruction, LaneMask lanes);
void multiply_matrices(Warp& warp, const Instruction& instruction, LaneMask lanes);
void multiply_integer_matrices(Warp& warp, const Instruction& instruction, LaneMask lanes);

// load_store.cpp
void load(Warp& warp, const Instruction& instruction, LaneMask lanes);
void load_parameter(Warp& warp, const Instruction& instruction, LaneMask lanes);
void store(Warp& warp, const Instruction& instruction, LaneMask lanes);
void store_call_argument(Warp& warp, const Instruction& instruction, LaneMask lanes);

// atomics.cpp; the first operand is the old value, or with `red` there is none
enum class AtomicOperation { Add, Min, Max, And, Or, Xor, Exchange, CompareExchange, Increment, Decrement };
template <AtomicOperation OPERATION> void atomic(Warp& warp, const Instruction& instruction, LaneMask lanes);

// copies.cpp
void cp_async(Warp& warp, const Instruction& instruction, LaneMask lanes);
void cp_async_commit(Warp& warp, const Instruction& instruction, LaneMask lanes);
void wait_copies(Warp& warp, const Instruction& instruction, LaneMask lanes);
void wait_all_copies(Warp& warp, const Instruction& instruction, LaneMask lanes);

// control.cpp
void nothing(Warp& warp, const Instruction& instruction, LaneMask lanes);
void fence(Warp& warp, const Instruction& instruction, LaneMask lanes);
void trap(Warp& warp, const Instruction& instruction, LaneMask lanes);
void call_host(Warp& warp, const Instruction& instruction, LaneMask lanes);

}  // namespace vaccine::ptx
