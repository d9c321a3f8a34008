// Reads the machine code that nvdisasm prints.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "kernel.h"

namespace vaccine::kernels {

struct Instruction {
    std::string opcode;  // HMMA.16816.F32.BF16
    std::string branch;  // the label where it may go on; empty: it is no branch

    /// The opcode up to the first dot.
    bool is(const char* name) const;
};

/// The code of one kernel, taken line by line.
class Listing {
public:
    void add_line(const std::string& line);
    /// Counts, and finds the main loop.
    void read_into(Code& code, int architecture) const;

private:
    struct Range {
        size_t first, last;
    };
    std::vector<Range> loops() const;
    Loop count(const Range& range, int architecture) const;

    std::vector<Instruction> instructions_;
    std::map<std::string, size_t> labels_;
};

}  // namespace vaccine::kernels
