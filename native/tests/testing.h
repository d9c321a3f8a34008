// Shared by all native tests. The tests know the build only through vaccine::Device, so that one list of cases serves the cpu and the cuda
// build; the cuda build defines VACCINE_TEST_CUDA, which adds its activation types.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/bf16.h"
#ifndef VACCINE_TEST_CUDA
#include "core/cpu_features.h"
#endif
#include "core/device.h"
#include "core/error.h"
#include "core/view.h"
#include "ops/ops.h"
#include "reference_numbers.h"

namespace vaccine::testing {

/// The types that activations of this build may have.
inline std::vector<DType> activation_types() {
#ifdef VACCINE_TEST_CUDA
    return {DType::F32, DType::BF16};
#else
    return {DType::F32};
#endif
}

inline const char* name_of(DType type) {
    return type == DType::F32 ? "fp32" : type == DType::BF16 ? "bf16" : type == DType::I32 ? "int32" : "fp64";
}

[[noreturn]] inline void fail(const std::string& message) {
    throw std::runtime_error(message);
}
inline void check(bool good, const std::string& message) {
    if (!good) fail(message);
}

/// A linear congruential generator: the same numbers on every platform.
class Random {
public:
    explicit Random(uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15ull + 1) {}
    uint64_t next() { return state_ = state_ * 6364136223846793005ull + 1442695040888963407ull; }
    int64_t below(int64_t n) { return static_cast<int64_t>((next() >> 33) % static_cast<uint64_t>(n)); }
    /// [-1, 1), exact in fp32.
    double value() { return static_cast<double>(static_cast<int64_t>(next() >> 40) - (1 << 23)) / (1 << 23); }

private:
    uint64_t state_;
};

struct Tolerance {
    double absolute, relative;
};

/// The one table of tolerances.
/// F32: sums of a few hundred terms of size 1, each rounded to 2^-24.
/// BF16: half a unit in the last place is up to 2^-8 of the value; two roundings lie between input and output.
inline Tolerance tolerance(DType type) {
    return type == DType::BF16 ? Tolerance{8e-3, 8e-3} : type == DType::F64 ? Tolerance{1e-12, 1e-12} : Tolerance{2e-5, 2e-5};
}

/// Written so that NaN fails.
inline void near(double got, double want, Tolerance allowed, const std::string& what, int64_t row = 0, int64_t column = 0) {
    if (std::abs(got - want) <= allowed.absolute + allowed.relative * std::abs(want)) return;
    char text[240];
    std::snprintf(text, sizeof text, "%s[%lld,%lld] is %.9g, expected %.9g", what.c_str(), static_cast<long long>(row),
                  static_cast<long long>(column), got, want);
    fail(text);
}

/// Passes if `action` throws an Error(InvalidArgument) whose message has every one of `words` in it.
inline void expect_refused(const std::function<void()>& action, const std::vector<std::string>& words) {
    try {
        action();
    } catch (const Error& error) {
        const std::string message = error.what();
        check(error.status() == Status::InvalidArgument, "wrong status for: " + message);
        for (const std::string& word : words) check(message.find(word) != std::string::npos, "\"" + message + "\" does not say " + word);
        return;
    }
    fail("was not refused; expected an error that says " + (words.empty() ? std::string("why") : words[0]));
}

/// Sizes that cover every op test; larger ones are passed to Machine.
inline ops::WorkspaceNeed default_need() {
    ops::WorkspaceNeed need;
    need.tokens = 1024;
    need.largest_width = 4096;
    need.heads = 16;
    need.kv_heads = 1;
    need.head_size = 320;
    need.longest_sample = 1024;
    need.cache_capacity = 1024;
    return need;
}

/// A device and its stream with workspace: what an engine is to the ops. threads is ignored on a GPU.
class Machine {
public:
    explicit Machine(int32_t threads = 2, const ops::WorkspaceNeed& need = default_need()) : device_(Device::open(0, threads)) {
        const int64_t bytes = ops::workspace_bytes(stream(), need);
        workspace_ = device_->allocate(bytes + 2 * kGuard);
        guard_.assign(kGuard, kMark);
        device_->upload(workspace_, guard_.data(), kGuard);
        device_->upload(static_cast<char*>(workspace_) + kGuard + bytes, guard_.data(), kGuard);
        stream().workspace = static_cast<char*>(workspace_) + kGuard;
        stream().workspace_bytes = bytes;
    }
    ~Machine() { device_->release(workspace_); }
    Machine(const Machine&) = delete;
    Machine& operator=(const Machine&) = delete;

    Device& device() { return *device_; }
    Stream& stream() { return device_->stream(); }

    /// Fills the workspace with NaN: an op may not read what it has not written.
    void spoil_workspace() {
        static const std::vector<unsigned char> ones(size_t{1} << 20, 0xFF);  // stays in the caches: every case spoils the workspace
        const int64_t bytes = stream().workspace_bytes, piece = static_cast<int64_t>(ones.size());
        for (int64_t done = 0; done < bytes; done += piece)
            device_->upload(static_cast<char*>(stream().workspace) + done, ones.data(), std::min(piece, bytes - done));
    }

    /// Whether some op has written beside the workspace.
    void check_guards() {
        std::vector<unsigned char> before(kGuard), after(kGuard);
        device_->download(before.data(), workspace_, kGuard);
        device_->download(after.data(), static_cast<char*>(stream().workspace) + stream().workspace_bytes, kGuard);
        check(before == guard_ && after == guard_, "a guard word of the workspace was overwritten");
    }

private:
    static constexpr int64_t kGuard = 256;
    static constexpr unsigned char kMark = 0x5A;

    std::unique_ptr<Device> device_;
    void* workspace_ = nullptr;
    std::vector<unsigned char> guard_;
};

/// While one lives, new buffers start so many elements beyond an aligned address.
class Unaligned {
public:
    explicit Unaligned(int64_t elements) { shift() = elements; }
    ~Unaligned() { shift() = 0; }
    Unaligned(const Unaligned&) = delete;
    Unaligned& operator=(const Unaligned&) = delete;
    static int64_t& shift() {
        static int64_t elements = 0;
        return elements;
    }
};

/// A matrix in the device's memory with guard bytes on both sides, which the destructor cannot check (it may not throw): call check_guards.
/// A new buffer holds NaN (integers: -1), so that what an op should have written and has not is seen.
class Buffer {
public:
    Buffer(Machine& machine, int64_t rows, int64_t columns, DType dtype = DType::F32)
        : device_(machine.device()), view_{nullptr, dtype, rows, columns}, before_(kGuard + Unaligned::shift() * size_of(dtype)) {
        host_.assign(static_cast<size_t>(before_ + view_.bytes() + kGuard), kMark);
        std::memset(host_.data() + before_, 0xFF, static_cast<size_t>(view_.bytes()));
        memory_ = device_.allocate(static_cast<int64_t>(host_.size()));
        view_.data = static_cast<unsigned char*>(memory_) + before_;
        device_.upload(memory_, host_.data(), static_cast<int64_t>(host_.size()));
    }
    Buffer(Machine& machine, int64_t rows, int64_t columns, const std::vector<int32_t>& values)
        : Buffer(machine, rows, columns, DType::I32) {
        set(std::vector<double>(values.begin(), values.end()));
    }
    ~Buffer() { device_.release(memory_); }
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;

    View view() const { return view_; }
    operator View() const { return view_; }
    int64_t count() const { return view_.count(); }

    /// scale * [-1, 1) in every element.
    void fill(Random& random, double scale = 1) {
        for (int64_t i = 0; i < count(); ++i) put(i, scale * random.value());
        upload();
    }
    void fill_with(double value) { set(std::vector<double>(static_cast<size_t>(count()), value)); }
    /// Rounds to the buffer's type.
    void set(const std::vector<double>& values) {
        check(static_cast<int64_t>(values.size()) == count(), "Buffer::set: wrong number of values");
        for (int64_t i = 0; i < count(); ++i) put(i, values[static_cast<size_t>(i)]);
        upload();
    }

    std::vector<double> values() {
        download();
        std::vector<double> result(static_cast<size_t>(count()));
        for (int64_t i = 0; i < count(); ++i) result[static_cast<size_t>(i)] = get(i);
        return result;
    }
    /// For comparison bit by bit.
    std::vector<unsigned char> bytes() {
        download();
        return {host_.begin() + before_, host_.end() - kGuard};
    }

    void check_guards() {
        download();
        for (size_t i = 0; i < kGuard; ++i)
            check(host_[i] == kMark && host_[host_.size() - 1 - i] == kMark, "a guard word of a buffer was overwritten");
    }

private:
    static constexpr int64_t kGuard = 256;  // a multiple of every alignment that ops may assume
    static constexpr unsigned char kMark = 0xA5;

    template <class T> void store(int64_t i, T value) {
        std::memcpy(&host_[static_cast<size_t>(before_) + i * sizeof(T)], &value, sizeof(T));
    }
    void put(int64_t i, double value) {
        switch (view_.dtype) {
            case DType::F32:
                return store(i, static_cast<float>(value));
            case DType::BF16:
                return store(i, bf16_from_float(static_cast<float>(value)));
            case DType::I32:
                return store(i, static_cast<int32_t>(value));
            case DType::F64:
                return store(i, value);
        }
    }
    double get(int64_t i) const { return number_at(view_.dtype, &host_[static_cast<size_t>(before_)], i); }
    void upload() { device_.upload(view_.data, host_.data() + before_, view_.bytes()); }
    void download() { device_.download(host_.data(), memory_, static_cast<int64_t>(host_.size())); }

    Device& device_;
    View view_;
    int64_t before_;  // guard bytes before the first element
    void* memory_ = nullptr;
    std::vector<unsigned char> host_;
};

/// Fails unless every element of `got` is near `want`.
inline void near_all(Buffer& got, const std::vector<double>& want, Tolerance allowed, const std::string& what) {
    const std::vector<double> values = got.values();
    check(values.size() == want.size(), what + ": wrong number of expected values");
    const int64_t columns = got.view().columns;
    for (size_t i = 0; i < want.size(); ++i)
        near(values[i], want[i], allowed, what, static_cast<int64_t>(i) / columns, static_cast<int64_t>(i) % columns);
}

using Bytes = std::vector<unsigned char>;

/// Checks the guards of all and joins their contents.
inline Bytes collect(const std::vector<Buffer*>& buffers) {
    Bytes result;
    for (Buffer* buffer : buffers) {
        buffer->check_guards();
        const Bytes bytes = buffer->bytes();
        result.insert(result.end(), bytes.begin(), bytes.end());
    }
    return result;
}

/// Runs `run` on every kind of machine that the build has: on a processor with each instruction set and 1, 2 and 3 threads, on a GPU twice.
/// What it returns must not depend on the number of threads, nor change when repeated. Under ThreadSanitizer, which is slow and asks only
/// what threads do with each other, on three threads with the best instruction set.
inline void on_every_machine(const std::function<Bytes(Machine&)>& run) {
#if defined(VACCINE_TEST_CUDA)
    const std::vector<int32_t> kinds{1, 1};
#elif defined(__SANITIZE_THREAD__)
    const std::vector<int32_t> kinds{3};
#else
    const std::vector<int32_t> kinds{1, 2, 3};
#endif
    static std::vector<std::unique_ptr<Machine>> machines;
    if (machines.empty())
        for (int32_t threads : kinds) machines.push_back(std::make_unique<Machine>(threads));
    const auto compare = [&] {
        Bytes first;
        for (const auto& machine : machines) {
            machine->spoil_workspace();
            const Bytes bytes = run(*machine);
            machine->check_guards();
            if (machine == machines.front()) first = bytes;
            check(bytes == first, "the result depends on the number of threads, or is another when repeated");
        }
    };
#if defined(VACCINE_TEST_CUDA) || defined(__SANITIZE_THREAD__)
    compare();
#else
    for (Isa isa : available_isas()) {
        force_isa(isa);
        try {
            compare();
        } catch (const std::exception& error) {
            fail(std::string(error.what()) + " (" + name_of(isa) + ")");
        }
    }
    force_isa(best_isa());
#endif
}

/// The same, and then with every buffer one element off alignment: ops may not need 16 bytes.
inline void on_every_machine_and_alignment(const std::function<Bytes(Machine&)>& run) {
    on_every_machine(run);
    const Unaligned by_one(1);
    on_every_machine(run);
}

/// Central difference of f at values[i], in double.
inline double derivative(const std::function<double(const std::vector<double>&)>& f, std::vector<double> values, size_t i,
                         double step = 1e-5) {
    const double at = values[i];
    values[i] = at + step;
    const double above = f(values);
    values[i] = at - step;
    return (above - f(values)) / (2 * step);
}

/// Runs every case, prints the failed ones and a summary; the exit status of a test program.
template <class Case, class Run, class Name> int run_all(const char* subject, const std::vector<Case>& cases, Run run, Name name) {
    size_t failed = 0;
    for (const Case& each : cases) {
        try {
            run(each);
        } catch (const std::exception& error) {
            ++failed;
            std::printf("FAILED %s %s: %s\n", subject, name(each).c_str(), error.what());
        }
    }
    std::printf("%s: %zu passed, %zu failed\n", subject, cases.size() - failed, failed);
    return failed != 0 || cases.empty();
}

/// The same for tests that are written one by one.
struct NamedTest {
    const char* name;
    std::function<void()> run;
};
inline int run_all(const char* subject, const std::vector<NamedTest>& tests) {
    return run_all(
        subject, tests, [](const NamedTest& test) { test.run(); }, [](const NamedTest& test) { return std::string(test.name); });
}

}  // namespace vaccine::testing
