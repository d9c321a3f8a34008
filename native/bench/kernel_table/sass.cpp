#include "sass.h"

#include <algorithm>
#include <cstring>

namespace vaccine::kernels {

namespace {

bool contains(const std::string& text, const char* part) {
    return text.find(part) != std::string::npos;
}

/// Cycles for which one warp's HMMA holds the tensor core of its sub-partition. 16x8x16 has 2048 multiply-adds. sm_86 and sm_89 do 64 a
/// clock with fp32 accumulation (71 TFLOP/s of a 3090, 165 of a 4090). sm_90 does 512 by wgmma; that mma.sync reaches half of it is
/// assumed.
double tensor_cycles(const std::string& opcode, int architecture) {
    const double full = architecture >= 90 ? 8 : 32;
    const double depth = contains(opcode, ".16816") ? 1 : contains(opcode, ".1688") ? 0.5 : 0.25;
    const double rate = contains(opcode, ".TF32") ? 0.5 : architecture < 90 && !contains(opcode, ".F32") ? 2 : 1;
    return full * depth / rate;
}

}  // namespace

bool Instruction::is(const char* name) const {
    const size_t length = std::strlen(name);
    return opcode.compare(0, length, name) == 0 && (opcode.size() == length || opcode[length] == '.');
}

void Listing::add_line(const std::string& line) {
    // ".L_x_4:", or "        /*0590*/               @P1 BRA `(.L_x_4) ;"
    if (line.compare(0, 3, ".L_") == 0) {
        labels_[line.substr(0, line.find(':'))] = instructions_.size();
        return;
    }
    const size_t open = line.find_first_not_of(" \t");
    if (open == std::string::npos || line.compare(open, 2, "/*") != 0) return;
    const size_t close = line.find("*/", open), end = line.find(';', open);
    if (close == std::string::npos || end == std::string::npos) return;
    size_t at = line.find_first_not_of(" \t{", close + 2);
    if (line[at] == '@') at = line.find_first_not_of(' ', line.find(' ', at));
    Instruction instruction;
    instruction.opcode = line.substr(at, line.find_first_of(" ;", at) - at);
    const size_t target = line.find("(.L_", at);
    if (instruction.is("BRA") && target != std::string::npos)
        instruction.branch = line.substr(target + 1, line.find(')', target) - target - 1);
    instructions_.push_back(std::move(instruction));
}

/// From the target of each backward branch to the branch.
std::vector<Listing::Range> Listing::loops() const {
    std::vector<Range> found;
    for (size_t last = 0; last < instructions_.size(); ++last) {
        const auto label = labels_.find(instructions_[last].branch);
        if (label != labels_.end() && label->second < last) found.push_back({label->second, last});
    }
    return found;
}

Loop Listing::count(const Range& range, int architecture) const {
    Loop loop;
    for (size_t n = range.first; n <= range.last && n < instructions_.size(); ++n) {
        const Instruction& i = instructions_[n];
        if (i.is("HMMA")) {
            ++loop.hmma;
            loop.tensor_cycles += tensor_cycles(i.opcode, architecture);
        } else {
            ++(i.is("LDSM") ? loop.ldsm : loop.others);
        }
    }
    return loop;
}

void Listing::read_into(Code& code, int architecture) const {
    for (const Instruction& i : instructions_) {
        code.hmma += i.is("HMMA") ? 1 : 0;
        code.local_accesses += i.is("LDL") || i.is("STL") ? 1 : 0;
    }
    if (code.hmma == 0) return;
    std::vector<Range> with_hmma;
    for (const Range& range : loops())
        if (count(range, architecture).hmma > 0) with_hmma.push_back(range);
    for (const Range& range : with_hmma) {
        const bool has_inner = std::any_of(with_hmma.begin(), with_hmma.end(), [&](const Range& other) {
            return other.first >= range.first && other.last <= range.last && other.last - other.first < range.last - range.first;
        });
        const Loop loop = count(range, architecture);
        if (!has_inner && loop.hmma > code.main_loop.hmma) code.main_loop = loop;
    }
    if (with_hmma.empty()) code.main_loop = count({0, instructions_.size()}, architecture);
}

}  // namespace vaccine::kernels
