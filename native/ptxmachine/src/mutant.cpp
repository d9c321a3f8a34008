#include "mutant.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <map>

#include "handlers.h"
#include "settings.h"

namespace vaccine::ptx {

namespace {

/// Whether the kind of mutant knows this instruction; with `apply` also changes it.
using Mutation = bool (*)(Instruction& i, bool apply);

/// bar.sync, __syncwarp: gone.
bool drop_barrier(Instruction& i, bool apply) {
    const bool lanes = i.execute == synchronise_lanes;
    if (!lanes && (i.flow != Flow::BlockBarrier || i.operands.size() == 3)) return false;
    if (apply) {
        i.flow = Flow::Next;
        i.execute = nothing;
    }
    return true;
}

/// A fence: gone.
bool drop_fence(Instruction& i, bool apply) {
    if (i.execute != fence) return false;
    if (apply) i.execute = nothing;
    return true;
}

/// cp.async.wait_group N waits for one group fewer, wait_all for nothing.
bool shorten_wait(Instruction& i, bool apply) {
    if (i.execute == wait_all_copies) {
        if (apply) i.execute = nothing;
        return true;
    }
    if (i.execute != wait_copies) return false;
    if (apply) ++i.operands[0].value;
    return true;
}

/// Bytes of one access; 0 for what accesses no memory that the kernel indexes.
int access_width(const Instruction& i) {
    if (i.execute == load || i.execute == store) return i.space == Space::Param ? 0 : size_of(i.type) * i.vector;
    if (i.execute == load_matrix) return 16;
    if (i.execute == cp_async) return static_cast<int>(i.operands[2].value);
    return i.kind == Kind::Atomic ? size_of(i.type) : 0;
}

/// An access goes to the next place of its own width: aligned, so that only its bounds or its value can give it away.
bool shift_index(Instruction& i, bool apply) {
    const int width = access_width(i);
    const auto address =
        std::find_if(i.operands.rbegin(), i.operands.rend(), [](const Operand& o) { return o.form == Operand::Form::Address; });
    if (width == 0 || address == i.operands.rend()) return false;
    if (apply) address->value += width;
    return true;
}

/// An integer comparison: < and <= change places, > and >=, == and !=.
bool move_bound(Instruction& i, bool apply) {
    const bool integer = i.kind == Kind::Integer && i.text.find("setp.") != std::string::npos;
    if (!integer) return false;
    static constexpr std::array<Compare, 6> kOther = {Compare::Ne, Compare::Eq, Compare::Le, Compare::Lt, Compare::Ge, Compare::Gt};
    const auto known = static_cast<size_t>(i.compare);
    if (known >= kOther.size()) return false;
    if (apply) i.compare = kOther[known];
    return true;
}

struct MutantKind {
    const char* name;
    Mutation mutation;
};
constexpr MutantKind kKinds[] = {
    {"barrier", drop_barrier}, {"fence", drop_fence}, {"wait", shorten_wait}, {"index", shift_index}, {"bound", move_bound}};

/// The one mutant of this process, or with "list" all kernels, and how many lanes ran each instruction. Never destroyed: the last report
/// is made when the process ends.
struct State {
    const Kernel* kernel = nullptr;
    size_t instruction = 0;
    std::string description;
    std::map<const Kernel*, const Module*> kernels;
    std::map<const Kernel*, std::vector<uint64_t>> lanes;
};
State& state() {
    static State& state = *new State();
    return state;
}

std::string source_of(const Instruction& i, const Module& module) {
    const auto file = module.files.find(i.source_file);
    return file == module.files.end() ? "?" : file->second + ":" + std::to_string(i.source_line);
}

void print_list(const Kernel& kernel, const Module& module, const std::vector<uint64_t>& lanes) {
    for (const MutantKind& kind : kKinds) {
        int n = 0;
        for (size_t at = 0; at < kernel.instructions.size(); ++at) {
            Instruction i = kernel.instructions[at];
            if (!kind.mutation(i, false)) continue;
            std::fprintf(stderr, "ptxmachine: possible mutant\t%s\t%s\t%d\t%llu\t%s\t%s\n", kernel.readable.c_str(), kind.name, n++,
                         static_cast<unsigned long long>(lanes[at]), source_of(i, module).c_str(), i.text.c_str());
        }
    }
}

/// Changes the n-th instruction that the kind knows.
void apply(Kernel& kernel, const Module& module, const MutantKind& kind, int n) {
    for (size_t at = 0; at < kernel.instructions.size(); ++at) {
        Instruction& i = kernel.instructions[at];
        if (!kind.mutation(i, false) || n-- != 0) continue;
        kind.mutation(i, true);
        state().kernel = &kernel;
        state().instruction = at;
        state().description = "\"" + i.text + "\" at " + source_of(i, module) + ", PTX line " + std::to_string(i.line);
    }
}

}  // namespace

void mutate(Kernel& kernel, const Module& module) {
    const std::string& setting = Settings::get().mutant;
    if (setting.empty()) return;
    if (setting == "list") {
        state().kernels[&kernel] = &module;
        return;
    }
    const size_t number = setting.rfind(':'), word = setting.rfind(':', number - 1);
    if (number == std::string::npos || word == std::string::npos) throw Unsupported("PTXMACHINE_MUTANT is not KERNEL:KIND:N");
    if (setting.substr(0, word) != kernel.readable) return;
    for (const MutantKind& kind : kKinds)
        if (setting.substr(word + 1, number - word - 1) == kind.name) apply(kernel, module, kind, std::atoi(setting.c_str() + number + 1));
}

void note_mutant_run(const Kernel& kernel, const std::vector<Count>& counts) {
    if (state().kernel != &kernel && state().kernels.count(&kernel) == 0) return;
    auto& lanes = state().lanes[&kernel];
    lanes.resize(counts.size());
    for (size_t n = 0; n < counts.size(); ++n) lanes[n] += counts[n].lanes;
}

void print_mutant() {
    const std::string& setting = Settings::get().mutant;
    if (setting.empty()) return;
    if (setting == "list") {
        for (const auto& [kernel, lanes] : state().lanes) print_list(*kernel, *state().kernels[kernel], lanes);
    } else if (state().lanes.empty()) {
        std::fprintf(stderr, "ptxmachine: mutant %s: no launched kernel has it\n", setting.c_str());
    } else {
        std::fprintf(stderr, "ptxmachine: mutant %s: %s: run by %llu lanes\n", setting.c_str(), state().description.c_str(),
                     static_cast<unsigned long long>(state().lanes.begin()->second[state().instruction]));
    }
}

}  // namespace vaccine::ptx
