#include "counters.h"

#include <algorithm>
#include <cstdio>

#include "names.h"
#include "settings.h"

namespace vaccine::ptx {

namespace {

const char* const kKindNames[] = {"move",   "integer", "float", "half",   "convert", "special", "tensor",
                                  "global", "shared",  "local", "atomic", "copy",    "control", "sync"};
static_assert(sizeof kKindNames / sizeof kKindNames[0] == static_cast<size_t>(Kind::Count), "a name for each kind");

std::string format(const char* pattern, unsigned long long value) {
    char text[64];
    std::snprintf(text, sizeof text, pattern, value);
    return text;
}

}  // namespace

Counters& Counters::get() {
    static Counters counters;
    return counters;
}

void Counters::add(const Kernel& kernel, uint64_t blocks, const std::vector<Count>& counts) {
    const std::lock_guard<std::mutex> lock(mutex_);
    KernelCount& k = kernels_[kernel.name];
    ++k.launches;
    k.blocks += blocks;
    for (size_t n = 0; n < counts.size(); ++n) {
        const Count& c = counts[n];
        const auto kind = static_cast<size_t>(kernel.instructions[n].kind);
        k.warp_instructions += c.warps;
        k.thread_instructions += c.lanes;
        k.warps_by_kind[kind] += c.warps;
        k.threads_by_kind[kind] += c.lanes;
        k.sum.sectors += c.sectors;
        k.sum.ideal_sectors += c.ideal_sectors;
        k.sum.wavefronts += c.wavefronts;
        k.sum.ideal_wavefronts += c.ideal_wavefronts;
        k.sum.divergent += c.divergent;
    }
    k.mma = k.warps_by_kind[static_cast<size_t>(Kind::Tensor)];
}

namespace {

/// Every kernel under its readable name, those that did most first. Kernels whose readable names are equal are numbered.
std::vector<std::pair<std::string, const KernelCount*>> in_order(const std::map<std::string, KernelCount>& kernels) {
    std::map<std::string, int> seen;
    std::vector<std::pair<std::string, const KernelCount*>> rows;
    for (const auto& [mangled, count] : kernels) {
        const std::string name = readable_name(mangled);
        const int number = ++seen[name];
        rows.emplace_back(number == 1 ? name : name + " (" + std::to_string(number) + ")", &count);
    }
    std::stable_sort(rows.begin(), rows.end(),
                     [](const auto& a, const auto& b) { return a.second->warp_instructions > b.second->warp_instructions; });
    return rows;
}

/// Cells flushed right; the last column is the name. The first row is the head.
std::string aligned(const std::vector<std::vector<std::string>>& rows) {
    std::vector<size_t> widths(rows[0].size());
    for (const auto& row : rows)
        for (size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], row[c].size());
    std::string text;
    for (const auto& row : rows) {
        for (size_t c = 0; c + 1 < row.size(); ++c) text += std::string(widths[c] - row[c].size(), ' ') + row[c] + "  ";
        text += row.back() + "\n";
    }
    return text;
}

/// `value` and how many times `ideal` it is; empty for a kernel that has none.
std::string ratio(uint64_t value, uint64_t ideal) {
    if (value == 0) return "";
    char text[32];
    std::snprintf(text, sizeof text, "%.2f", static_cast<double>(value) / static_cast<double>(ideal));
    return text;
}

std::string per_cent(uint64_t part, uint64_t whole) {
    if (part == 0) return "";
    char text[32];
    std::snprintf(text, sizeof text, "%.1f", 100 * static_cast<double>(part) / static_cast<double>(whole));
    return text;
}

}  // namespace

std::string Counters::table() const {
    const auto number = [](uint64_t value) { return format("%llu", value); };
    std::vector<std::vector<std::string>> work{{"launches", "blocks", "warp instructions", "lanes on %", "divergent", "mma", "sectors",
                                                "x ideal", "wavefronts", "x ideal", "kernel"}};
    std::vector<std::vector<std::string>> mix{{}};
    for (const char* kind : kKindNames) mix[0].emplace_back(kind);
    mix[0].emplace_back("(% of warp instructions)");
    for (const auto& [name, k] : in_order(kernels_)) {
        work.push_back({number(k->launches), number(k->blocks), number(k->warp_instructions),
                        per_cent(k->thread_instructions, kWarpSize * k->warp_instructions), number(k->sum.divergent), number(k->mma),
                        number(k->sum.sectors), ratio(k->sum.sectors, k->sum.ideal_sectors), number(k->sum.wavefronts),
                        ratio(k->sum.wavefronts, k->sum.ideal_wavefronts), name});
        mix.emplace_back();
        for (const uint64_t warps : k->warps_by_kind) mix.back().push_back(per_cent(warps, k->warp_instructions));
        mix.back().push_back(name);
    }
    return aligned(work) + "\n" + aligned(mix);
}

std::string Counters::json() const {
    std::string text = "{\n";
    bool first = true;
    for (const auto& [name, k] : in_order(kernels_)) {
        text += std::string(first ? "" : ",\n") + "  \"" + name + "\": {";
        first = false;
        const auto item = [&](const char* label, uint64_t value) { text += std::string("\"") + label + format("\": %llu, ", value); };
        item("launches", k->launches);
        item("blocks", k->blocks);
        item("warp_instructions", k->warp_instructions);
        item("thread_instructions", k->thread_instructions);
        item("mma", k->mma);
        item("divergent_branches", k->sum.divergent);
        item("sectors", k->sum.sectors);
        item("ideal_sectors", k->sum.ideal_sectors);
        item("wavefronts", k->sum.wavefronts);
        item("ideal_wavefronts", k->sum.ideal_wavefronts);
        for (const auto& [label, kinds] : {std::make_pair("warp_instructions_by_kind", &k->warps_by_kind),
                                           std::make_pair("thread_instructions_by_kind", &k->threads_by_kind)}) {
            text += std::string("\"") + label + "\": {";
            for (size_t n = 0; n < kinds->size(); ++n)
                text += std::string(n == 0 ? "\"" : ", \"") + kKindNames[n] + format("\": %llu", (*kinds)[n]);
            text += "}, ";
        }
        text.erase(text.size() - 2);
        text += "}";
    }
    return text + "\n}\n";
}

void count_global(Count& count, const uint64_t* addresses, LaneMask lanes, uint32_t bytes) {
    if (!Settings::get().counters) return;
    uint64_t sorted[kWarpSize];
    int n = 0;
    for (; lanes != 0; lanes &= lanes - 1) sorted[n++] = addresses[__builtin_ctz(lanes)];
    std::sort(sorted, sorted + n);
    const auto distinct = static_cast<uint64_t>(std::unique(sorted, sorted + n) - sorted);
    uint64_t sectors = 0, last = ~uint64_t{0};
    for (uint64_t k = 0; k < distinct; ++k)
        for (uint64_t s = sorted[k] / 32; s <= (sorted[k] + bytes - 1) / 32; ++s)
            if (s != last) {
                ++sectors;
                last = s;
            }
    count.sectors += sectors;
    count.ideal_sectors += (distinct * bytes + 31) / 32;
}

void count_shared(Count& count, const uint64_t* addresses, LaneMask lanes, uint32_t bytes) {
    if (!Settings::get().counters) return;
    // The card serves 32 lanes of up to 4 bytes at once, 16 of 8 bytes, 8 of 16.
    const int group = bytes >= 16 ? 8 : bytes == 8 ? 16 : 32;
    const uint64_t words = std::max<uint64_t>(1, bytes / 4);
    for (int first = 0; first < kWarpSize; first += group) {
        uint64_t seen[kWarpSize];
        uint32_t in_bank[32] = {};
        int n = 0;
        for (int l = first; l < first + group; ++l)
            for (uint64_t k = 0; (lanes >> l & 1) != 0 && k < words; ++k) {
                const uint64_t word = addresses[l] / 4 + k;
                if (std::find(seen, seen + n, word) != seen + n) continue;
                seen[n++] = word;
                ++in_bank[word % 32];
            }
        if (n == 0) continue;
        count.wavefronts += *std::max_element(in_bank, in_bank + 32);
        ++count.ideal_wavefronts;
    }
}

}  // namespace vaccine::ptx
