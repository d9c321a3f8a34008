// Runs test programs of the engine once for each mutant of its kernels: every one must be caught. README.md says what mutants are.
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <map>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <tuple>

#include "equivalent.h"
#include "program_run.h"

namespace {

using namespace vaccine::mutants;

struct Options {
    bool all = false;  // every mutant, not a sample
    int sample = 1;    // of each kind in each kernel template
    std::string only;  // a part of the kernel's name
    // Of "bound" (< for <=, == for !=) too many change nothing: the compiler's own comparisons decide between ways to the same result.
    std::string kinds = "barrier,fence,wait,index";
    std::string equivalent;  // file
    std::vector<std::string> programs;
};

Options parse(int count, char** words) {
    Options options;
    for (int n = 1; n < count; ++n) {
        const std::string word = words[n];
        const auto value = [&] {
            if (++n == count) throw std::runtime_error("no value behind " + word);
            return std::string(words[n]);
        };
        if (word == "--all")
            options.all = true;
        else if (word == "--sample")
            options.sample = std::atoi(value().c_str());
        else if (word == "--only")
            options.only = value();
        else if (word == "--kinds")
            options.kinds = value();
        else if (word == "--equivalent")
            options.equivalent = value();
        else
            options.programs.push_back(word);
    }
    if (options.programs.empty())
        throw std::runtime_error("usage: mutants [--all|--sample N] [--only KERNEL] [--kinds A,B] [--equivalent FILE] PROGRAM...");
    return options;
}

struct Found {
    std::vector<Mutant> mutants;           // that some program runs, with the programs that can judge them
    std::map<std::string, int> never_run;  // source line -> instructions
};

/// f(n) for every n below `count`, on all cores. What it throws first is thrown on.
template <class F> void for_each_on_all_cores(size_t count, F f) {
    std::atomic<size_t> next{0};
    std::mutex mutex;
    std::exception_ptr failure;
    const auto work = [&] {
        for (size_t n = next++; n < count; n = next++) try {
                f(n);
            } catch (...) {
                const std::lock_guard<std::mutex> lock(mutex);
                failure = std::current_exception();
            }
    };
    std::vector<std::thread> helpers;
    for (unsigned t = 1; t < std::thread::hardware_concurrency(); ++t) helpers.emplace_back(work);
    work();
    for (std::thread& helper : helpers) helper.join();
    if (failure) std::rethrow_exception(failure);
}

Found find_mutants(const Options& options) {
    std::vector<std::vector<Mutant>> lists(options.programs.size());
    for_each_on_all_cores(lists.size(), [&](size_t n) { lists[n] = list_mutants(options.programs[n]); });
    std::map<std::string, size_t> known;
    std::vector<Mutant> all;
    for (size_t n = 0; n < lists.size(); ++n)
        for (Mutant& m : lists[n]) {
            const bool wanted = ("," + options.kinds + ",").find("," + m.kind + ",") != std::string::npos;
            if (!wanted || m.kernel.find(options.only) == std::string::npos) continue;
            const size_t at = known.emplace(m.name(), all.size()).first->second;
            if (at == all.size()) all.push_back(m);
            if (m.runs) all[at].programs.push_back(options.programs[n]);
        }
    // Kernels are listed as they happen to lie in memory: the sample must not depend on that.
    std::sort(all.begin(), all.end(), [](const Mutant& a, const Mutant& b) {
        return std::make_tuple(a.kernel, a.kind, std::stoi(a.number)) < std::make_tuple(b.kernel, b.kind, std::stoi(b.number));
    });
    Found found;
    for (Mutant& m : all)
        if (m.programs.empty())
            ++found.never_run[m.place() + ": " + m.source_text];
        else
            found.mutants.push_back(std::move(m));
    return found;
}

/// Some of each kind in each kernel template (whatever its arguments), spread evenly; none that is listed as equivalent.
std::vector<Mutant> sampled(const std::vector<Mutant>& all, const std::vector<Equivalent>& equivalents, int count) {
    std::map<std::string, std::vector<const Mutant*>> groups;
    for (const Mutant& m : all)
        if (find(equivalents, m) == nullptr) groups[m.kernel.substr(0, m.kernel.find('<')) + ":" + m.kind].push_back(&m);
    std::vector<Mutant> some;
    for (const auto& [name, group] : groups) {
        const size_t n = std::min(group.size(), static_cast<size_t>(count));
        for (size_t k = 0; k < n; ++k) some.push_back(*group[(2 * k + 1) * group.size() / (2 * n)]);
    }
    return some;
}

/// Judges mutants on all cores.
class Trial {
public:
    Trial(const std::vector<Mutant>& mutants, const std::vector<Equivalent>& equivalents) : mutants_(mutants), equivalents_(equivalents) {}

    void run() {
        for_each_on_all_cores(mutants_.size(), [this](size_t n) { judge(mutants_[n]); });
    }

    int report() const {
        int caught = 0, equivalent = 0;
        for (const auto& [kind, tally] : tallies_) {
            std::printf("%-8s %4d caught, %d equivalent, %d missed\n", kind.c_str(), tally.caught, tally.equivalent, tally.failed);
            caught += tally.caught;
            equivalent += tally.equivalent;
        }
        std::printf("mutants: %d passed, %d failed\n", caught + equivalent, failed_);
        return failed_ != 0 || mutants_.empty();
    }

private:
    struct Tally {
        int caught = 0, equivalent = 0, failed = 0;
    };

    void judge(const Mutant& m) {
        Verdict verdict;
        for (const std::string& program : m.programs)
            if (verdict = try_mutant(program, m); verdict.caught) break;
        const Equivalent* listed = find(equivalents_, m);
        const std::lock_guard<std::mutex> lock(mutex_);
        Tally& tally = tallies_[m.kind];
        if (verdict.caught != (listed != nullptr) || (listed != nullptr && listed->some)) {
            ++(verdict.caught ? tally.caught : tally.equivalent);
            return;
        }
        ++tally.failed;
        ++failed_;
        std::printf("FAILED mutant %s: %s\n    \"%s\" at %s: %s\n    %s\n", m.name().c_str(),
                    verdict.caught ? "is caught, but listed as equivalent" : "is not caught", m.instruction.c_str(), m.place().c_str(),
                    m.source_text.c_str(), verdict.message.c_str());
    }

    const std::vector<Mutant>& mutants_;
    const std::vector<Equivalent>& equivalents_;
    std::mutex mutex_;
    std::map<std::string, Tally> tallies_;
    int failed_ = 0;
};

int run(const Options& options) {
    const Found found = find_mutants(options);
    const std::vector<Mutant>& all = found.mutants;
    const std::vector<Equivalent> equivalents =
        options.equivalent.empty() ? std::vector<Equivalent>() : read_equivalents(options.equivalent);
    const std::vector<Mutant> chosen = options.all ? all : sampled(all, equivalents, options.sample);
    int never_run = 0;
    for (const auto& [line, count] : found.never_run) {
        never_run += count;
        if (options.all) std::printf("never run: %d instructions of %s\n", count, line.c_str());
    }
    std::printf("mutants: %zu of %zu are tried; %d more are of instructions that no test runs\n", chosen.size(), all.size(), never_run);
    int stale = 0;
    if (options.only.empty())
        for (const Equivalent& e : equivalents)
            if (!applies(e, all)) {
                ++stale;
                std::printf("FAILED line %d of the equivalent mutants fits no mutant\n", e.line);
            }
    Trial trial(chosen, equivalents);
    trial.run();
    return trial.report() + stale;
}

}  // namespace

int main(int count, char** words) {
    std::setvbuf(stdout, nullptr, _IOLBF, 0);
    try {
        return run(parse(count, words)) != 0;
    } catch (const std::exception& error) {
        std::printf("FAILED mutants: %s\n", error.what());
        return 1;
    }
}
