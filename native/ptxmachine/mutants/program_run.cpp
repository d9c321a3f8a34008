#include "program_run.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <sstream>
#include <stdexcept>

namespace vaccine::mutants {

namespace {

/// A warp of a test does far less; an endless loop is soon found.
constexpr char kSteps[] = "PTXMACHINE_STEPS=20000000";

std::vector<std::string> environment(const std::string& mutant) {
    std::vector<std::string> variables;
    for (char** each = environ; *each != nullptr; ++each)
        if (std::strncmp(*each, "PTXMACHINE_", 11) != 0) variables.emplace_back(*each);
    variables.push_back("PTXMACHINE_MUTANT=" + mutant);
    variables.emplace_back(kSteps);
    variables.emplace_back("PTXMACHINE_THREADS=1");  // the mutants themselves run at the same time
    return variables;
}

/// Starts the program with its output going to the file returned.
std::FILE* start(const std::string& program, const std::string& mutant, pid_t& child) {
    const std::vector<std::string> variables = environment(mutant);
    std::vector<char*> pointers;
    for (const std::string& each : variables) pointers.push_back(const_cast<char*>(each.c_str()));
    pointers.push_back(nullptr);
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
    child = fork();
    if (child == 0) {
        dup2(ends[1], 1);
        dup2(ends[1], 2);
        execle(program.c_str(), program.c_str(), static_cast<char*>(nullptr), pointers.data());
        _exit(127);
    }
    close(ends[1]);
    if (child < 0) throw std::runtime_error("cannot start " + program);
    return fdopen(ends[0], "r");
}

/// Gives each line of the program's output to `take`, until it says stop: then the program is ended. Returns its status.
int run(const std::string& program, const std::string& mutant, const std::function<bool(const std::string&)>& take) {
    pid_t child = 0;
    std::FILE* output = start(program, mutant, child);
    char* text = nullptr;
    size_t capacity = 0;
    for (ssize_t length; (length = getline(&text, &capacity, output)) > 0;)
        if (!take(std::string(text, static_cast<size_t>(length - (text[length - 1] == '\n'))))) {
            kill(child, SIGKILL);
            break;
        }
    std::free(text);
    std::fclose(output);
    int status = 0;
    waitpid(child, &status, 0);
    return status;
}

bool starts_with(const std::string& text, const char* start) {
    return text.compare(0, std::strlen(start), start) == 0;
}

std::string line_of(const std::string& file, int number) {
    std::ifstream in(file);
    std::string line;
    for (int n = 0; n < number && std::getline(in, line);) ++n;
    const size_t first = line.find_first_not_of(" \t");
    return first == std::string::npos ? "" : line.substr(first, line.find_last_not_of(" \t\r") - first + 1);
}

constexpr char kPossible[] = "ptxmachine: possible mutant\t";

Mutant parse(const std::string& line) {
    std::vector<std::string> fields;
    std::istringstream in(line.substr(std::strlen(kPossible)));
    for (std::string field; std::getline(in, field, '\t');) fields.push_back(field);
    if (fields.size() != 6) throw std::runtime_error("unexpected line: " + line);
    Mutant m;
    m.kernel = fields[0];
    m.kind = fields[1];
    m.number = fields[2];
    m.runs = fields[3] != "0";
    const size_t colon = fields[4].rfind(':');
    m.line = colon == std::string::npos ? 0 : std::atoi(fields[4].c_str() + colon + 1);
    m.file = fields[4].substr(0, colon);
    m.source_text = line_of(m.file, m.line);
    m.file = m.file.substr(m.file.rfind('/') + 1);
    m.instruction = fields[5];
    return m;
}

}  // namespace

std::vector<Mutant> list_mutants(const std::string& program) {
    std::vector<Mutant> mutants;
    const int status = run(program, "list", [&](const std::string& line) {
        if (starts_with(line, kPossible)) mutants.push_back(parse(line));
        return true;
    });
    if (status != 0) throw std::runtime_error(program + " fails without a mutant");
    return mutants;
}

Verdict try_mutant(const std::string& program, const Mutant& mutant) {
    Verdict verdict;
    const int status = run(program, mutant.name(), [&](const std::string& line) {
        const bool machine = starts_with(line, "ptxmachine: "), outcome = starts_with(line, "ptxmachine: mutant ");
        verdict.caught = starts_with(line, "FAILED") || (machine && !outcome);
        if (verdict.caught || outcome) verdict.message = line;
        return !verdict.caught;
    });
    if (!verdict.caught && status != 0) {
        verdict.caught = true;
        verdict.message = "the program failed";
    }
    return verdict;
}

}  // namespace vaccine::mutants
