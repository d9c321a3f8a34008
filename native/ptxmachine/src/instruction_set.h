// The one table of the instructions that the machine knows.
#pragma once
#include <string>
#include <vector>

#include "program.h"

namespace vaccine::ptx {

struct Row {
    /// The mnemonic without what is a flag of the Instruction: rounding, .ftz, .sat, cache hints, state spaces, comparisons. See
    /// decoder.cpp.
    const char* pattern;
    /// One letter per operand; those after '?' may be missing:
    /// t type of the instruction, w twice as wide, d type of the destination, u 32 bits, l 64 bits, p predicate, m any register or {list},
    /// v value of a load or store, a [address], x list of 32-bit registers, i immediate.
    const char* operands;
    Kind kind;
    Handler plain;
    Handler careful = nullptr;  // with .ftz, .sat, .relu, .NaN or a rounding mode; nullptr: such a form is unknown
    Flow flow = Flow::Next;
    int8_t mask_operand = -1;
};

const std::vector<Row>& instruction_set();
/// nullptr when there is none.
const Row* find_row(const std::string& pattern);
/// Rows that no kernel of this process has used: a test of all instructions leaves none.
std::vector<std::string> unused_patterns();

}  // namespace vaccine::ptx
