// One deliberate fault in one kernel (PTXMACHINE_MUTANT): a test that still passes with it does not test that instruction.
#pragma once
#include <vector>

#include "counters.h"
#include "program.h"

namespace vaccine::ptx {

/// Changes the kernel just decoded if it is the one that the setting names.
void mutate(Kernel& kernel, const Module& module);
/// Adds up how often instructions ran.
void note_mutant_run(const Kernel& kernel, const std::vector<Count>& counts);
/// What was changed and whether it ran; with the setting "list" all that could be changed. To stderr.
void print_mutant();

}  // namespace vaccine::ptx
