// A test program under ptxmachine: what it could be given to catch, and whether it catches one.
#pragma once
#include <string>
#include <vector>

namespace vaccine::mutants {

struct Mutant {
    std::string kernel, kind, number;
    std::string file, source_text, instruction;
    int line = 0;
    bool runs = false;                  // whether any lane of the program comes to the instruction
    std::vector<std::string> programs;  // that run it

    std::string name() const { return kernel + ":" + kind + ":" + number; }
    std::string place() const { return file + ":" + std::to_string(line); }
};

struct Verdict {
    bool caught = false;
    std::string message;  // what caught it, or what the machine says of a mutant that lived
};

/// Those of all kernels that the program launches. Throws if the program fails without a mutant.
std::vector<Mutant> list_mutants(const std::string& program);
Verdict try_mutant(const std::string& program, const Mutant& mutant);

}  // namespace vaccine::mutants
