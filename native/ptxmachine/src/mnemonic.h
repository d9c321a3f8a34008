// A mnemonic such as "ld.global.nc.v4.f32" -> flags of the instruction and the pattern of its row.
#pragma once
#include <string>

#include "instruction_set.h"

namespace vaccine::ptx {

/// Fills types, flags, space and row-given fields of `instruction`. Returns its row; nullptr: unknown.
const Row* decode_mnemonic(const std::string& mnemonic, Instruction& instruction);

}  // namespace vaccine::ptx
