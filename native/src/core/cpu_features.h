#pragma once
#include <string>
#include <vector>

namespace vaccine {

/// Instruction sets that ops have code for, each a superset of the one before.
/// Avx2: AVX2 and FMA. Avx512: F, BW, VL and DQ too. Plain: what every processor has.
enum class Isa : int { Plain = 0, Avx2 = 1, Avx512 = 2 };

const char* name_of(Isa isa);

/// The best that processor and operating system support.
Isa best_isa();
/// What ops use: best_isa() unless forced.
Isa active_isa();
/// For tests: makes ops use `isa` from now on. Throws Error(Unsupported) where the machine lacks it. Not while an op runs.
void force_isa(Isa isa);
/// Plain up to best_isa(), for tests that run through all.
std::vector<Isa> available_isas();

/// The processor's brand string, as it is; empty where it has none.
std::string cpu_brand();

}  // namespace vaccine
