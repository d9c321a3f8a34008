// The committed list of mutants that change nothing that a test could see, each with the reason.
#pragma once
#include <string>
#include <vector>

#include "program_run.h"

namespace vaccine::mutants {

/// A line `KIND | KERNEL | FILE | INSTRUCTION | SOURCE | REASON`. KERNEL is a pattern with '*'; INSTRUCTION is how the PTX starts, without
/// its guard; SOURCE is the text of the source line. Line numbers and ordinals are no part of it: they move. With
/// `?` behind the kind the inlined copies of the line differ: some may be caught.
struct Equivalent {
    std::string kind, kernel, file, instruction, source, reason;
    int line = 0;
    bool some = false;
};

std::vector<Equivalent> read_equivalents(const std::string& file);
/// nullptr when the mutant should be caught.
const Equivalent* find(const std::vector<Equivalent>& list, const Mutant& mutant);
bool applies(const Equivalent& equivalent, const std::vector<Mutant>& mutants);

}  // namespace vaccine::mutants
