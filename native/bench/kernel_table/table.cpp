#include "table.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <stdexcept>

#include "occupancy.h"

namespace vaccine::kernels {

namespace {

const char* const kThreads = "threads";
const char* const kDynamic = "dynamic shared";
const char* const kUnknown = "?";

std::string number(int value) {
    return value < 0 ? kUnknown : std::to_string(value);
}

/// One value if it is the same on every architecture, else all of them.
std::string on_each(const Kernel& kernel, const std::function<std::string(const Code&)>& value) {
    std::vector<std::string> values;
    for (const Code& code : kernel.code) values.push_back(code.present ? value(code) : "-");
    if (std::all_of(values.begin(), values.end(), [&](const std::string& v) { return v == values[0]; })) return values[0];
    std::string text = values[0];
    for (size_t n = 1; n < values.size(); ++n) text += " / " + values[n];
    return text;
}

std::string occupancy_of(const Kernel& kernel, size_t index) {
    const Code& code = kernel.code[index];
    if (!code.present) return "-";
    if (kernel.threads == 0 || kernel.dynamic_shared_bytes < 0) return kUnknown;
    const Occupancy o =
        occupancy(kArchitecture[index], kernel.threads, code.registers, code.static_shared_bytes, kernel.dynamic_shared_bytes);
    return std::to_string(o.active_warps) + "/" + std::to_string(o.most_warps);
}

std::vector<std::string> split(const std::string& line) {
    std::vector<std::string> cells;
    for (size_t at = line.find('|'); at != std::string::npos;) {
        const size_t next = line.find('|', at + 1);
        if (next == std::string::npos) break;
        const size_t first = line.find_first_not_of(" `", at + 1);
        const size_t last = line.find_last_not_of(" `", next - 1);
        cells.push_back(first == std::string::npos || first >= next ? "" : line.substr(first, last - first + 1));
        at = next;
    }
    return cells;
}

}  // namespace

std::string Table::markdown() const {
    std::string text = "|";
    for (const std::string& cell : head) text += " " + cell + " |";
    text += "\n| --- |";
    for (size_t n = 1; n < head.size(); ++n) text += " ---: |";
    for (const auto& row : rows) {
        text += "\n| `" + row[0] + "` |";
        for (size_t n = 1; n < row.size(); ++n) text += " " + row[n] + " |";
    }
    return text + "\n";
}

const std::vector<std::string>* Table::row(const std::string& name) const {
    for (const auto& row : rows)
        if (row[0] == name) return &row;
    return nullptr;
}

std::string Table::cell(const std::string& name, const std::string& column) const {
    const auto* found = row(name);
    const auto at = static_cast<size_t>(std::find(head.begin(), head.end(), column) - head.begin());
    return found == nullptr || at >= found->size() ? "" : (*found)[at];
}

Table resources(const std::vector<Kernel>& kernels) {
    Table table{{"kernel", kThreads, "registers", "static shared", kDynamic, "stack", "local", "LDL+STL", "warps sm_86", "warps sm_89",
                 "warps sm_90", "HMMA"},
                {}};
    for (const Kernel& k : kernels) {
        std::vector<std::string> row{k.name, k.threads == 0 ? kUnknown : number(k.threads)};
        row.push_back(on_each(k, [](const Code& c) { return number(c.registers); }));
        row.push_back(on_each(k, [](const Code& c) { return number(c.static_shared_bytes); }));
        row.push_back(number(k.dynamic_shared_bytes));
        row.push_back(on_each(k, [](const Code& c) { return number(c.stack_bytes); }));
        row.push_back(on_each(k, [](const Code& c) { return number(c.local_bytes); }));
        row.push_back(on_each(k, [](const Code& c) { return number(c.local_accesses); }));
        for (size_t n = 0; n < kArchitectures; ++n) row.push_back(occupancy_of(k, n));
        row.push_back(on_each(k, [](const Code& c) { return number(c.hmma); }));
        table.rows.push_back(std::move(row));
    }
    return table;
}

Table main_loops(const std::vector<Kernel>& kernels) {
    Table table{{"kernel", "HMMA", "LDSM", "others"}, {}};
    for (const int architecture : kArchitecture) table.head.push_back("mma % sm_" + std::to_string(architecture));
    for (const Kernel& k : kernels) {
        if (std::none_of(k.code.begin(), k.code.end(), [](const Code& c) { return c.hmma > 0; })) continue;
        std::vector<std::string> row{k.name};
        row.push_back(on_each(k, [](const Code& c) { return number(c.main_loop.hmma); }));
        row.push_back(on_each(k, [](const Code& c) { return number(c.main_loop.ldsm); }));
        row.push_back(on_each(k, [](const Code& c) { return number(c.main_loop.others); }));
        for (const Code& c : k.code) {
            char text[16] = "-";
            if (c.hmma > 0) std::snprintf(text, sizeof text, "%.1f", 100 * c.main_loop.mma_share());
            row.emplace_back(text);
        }
        table.rows.push_back(std::move(row));
    }
    return table;
}

std::vector<Table> read_tables(const std::string& file) {
    std::ifstream in(file);
    if (!in) throw std::runtime_error(file + " cannot be read");
    std::vector<Table> tables;
    bool inside = false;
    std::string line;
    while (std::getline(in, line)) {
        const bool is_row = !line.empty() && line[0] == '|';
        if (is_row && !inside)
            tables.push_back({split(line), {}});
        else if (is_row && line.compare(0, 5, "| ---") != 0)
            tables.back().rows.push_back(split(line));
        inside = is_row;
    }
    return tables;
}

std::vector<std::string> differences(const Table& committed, const Table& current) {
    if (committed.head != current.head) return {"the table has other columns; write it again"};
    std::vector<std::string> lines;
    for (const auto& row : committed.rows)
        if (current.row(row[0]) == nullptr) lines.push_back(row[0] + ": is in the table, but not in the library");
    for (const auto& row : current.rows) {
        const auto* before = committed.row(row[0]);
        if (before == nullptr) {
            lines.push_back(row[0] + ": is in the library, but not in the table");
            continue;
        }
        for (size_t n = 1; n < row.size(); ++n)
            if (n >= before->size() || (*before)[n] != row[n])
                lines.push_back(row[0] + ": " + current.head[n] + ": " + (n < before->size() ? (*before)[n] : "") + " -> " + row[n]);
    }
    return lines;
}

void add_launches(std::vector<Kernel>& kernels, const Table& committed) {
    for (Kernel& kernel : kernels) {
        if (kernel.threads == 0) kernel.threads = std::atoi(committed.cell(kernel.name, kThreads).c_str());
        const std::string bytes = committed.cell(kernel.name, kDynamic);
        if (kernel.dynamic_shared_bytes < 0 && !bytes.empty() && bytes != kUnknown) kernel.dynamic_shared_bytes = std::atoi(bytes.c_str());
    }
}

}  // namespace vaccine::kernels
