#include "equivalent.h"

#include <fnmatch.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace vaccine::mutants {

namespace {

std::string trimmed(const std::string& text) {
    const size_t first = text.find_first_not_of(" \t");
    return first == std::string::npos ? "" : text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

/// A source line is given as it is, or begins with * and is a pattern.
bool fits_source(const std::string& wanted, const std::string& line) {
    return wanted[0] == '*' ? fnmatch(wanted.c_str(), line.c_str(), 0) == 0 : wanted == line;
}

bool fits(const Equivalent& e, const Mutant& m) {
    std::string instruction = m.instruction;
    if (instruction[0] == '@') instruction = trimmed(instruction.substr(instruction.find(' ')));
    return e.kind == m.kind && e.file == m.file && fits_source(e.source, m.source_text) &&
           instruction.compare(0, e.instruction.size(), e.instruction) == 0 && fnmatch(e.kernel.c_str(), m.kernel.c_str(), 0) == 0;
}

}  // namespace

std::vector<Equivalent> read_equivalents(const std::string& file) {
    std::ifstream in(file);
    if (!in) throw std::runtime_error("cannot read " + file);
    std::vector<Equivalent> list;
    int number = 0;
    for (std::string line; std::getline(in, line);) {
        ++number;
        if (trimmed(line).empty() || line[0] == '#') continue;
        std::vector<std::string> fields;
        std::istringstream parts(line);
        // Two bars are C++'s "or".
        for (std::string part; std::getline(parts, part, '|');) {
            if (part.empty() && fields.size() > 1) {
                std::getline(parts, part, '|');
                fields.back() += "||" + part;
            } else {
                fields.push_back(part);
            }
        }
        if (fields.size() != 6) throw std::runtime_error(file + ":" + std::to_string(number) + ": six fields are expected");
        for (std::string& field : fields) field = trimmed(field);
        const bool some = fields[0].back() == '?';
        if (some) fields[0].pop_back();
        list.push_back({fields[0], fields[1], fields[2], fields[3], fields[4], fields[5], number, some});
    }
    return list;
}

const Equivalent* find(const std::vector<Equivalent>& list, const Mutant& mutant) {
    const auto found = std::find_if(list.begin(), list.end(), [&](const Equivalent& e) { return fits(e, mutant); });
    return found == list.end() ? nullptr : &*found;
}

bool applies(const Equivalent& equivalent, const std::vector<Mutant>& mutants) {
    return std::any_of(mutants.begin(), mutants.end(), [&](const Mutant& m) { return fits(equivalent, m); });
}

}  // namespace vaccine::mutants
