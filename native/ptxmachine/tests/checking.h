// Shared by the tests of the machine: they run on ptxmachine only.
#pragma once
#include <cuda_runtime.h>

#include <cmath>
#include <cstdio>
#include <cstring>
#include <functional>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "../src/ptxmachine.h"

namespace checking {

inline void check(bool good, const std::string& message) {
    if (!good) throw std::runtime_error(message);
}
inline void ok(cudaError_t error) {
    check(error == cudaSuccess, cudaGetErrorString(error));
}

/// Names of the faults since the last call.
inline std::set<std::string> take_faults() {
    static char text[1 << 16];
    ptxmachine_take_faults(text, sizeof text);
    std::istringstream lines(text);
    std::set<std::string> faults;
    for (std::string line; std::getline(lines, line);) faults.insert(line);
    return faults;
}

/// Device memory with the values given, or with none: then its bytes count as never written.
template <class T> class Buffer {
public:
    explicit Buffer(const std::vector<T>& values) : Buffer(values.size()) {
        ok(cudaMemcpy(data_, values.data(), bytes(), cudaMemcpyHostToDevice));
    }
    explicit Buffer(size_t count) : count_(count) { ok(cudaMalloc(reinterpret_cast<void**>(&data_), bytes())); }
    ~Buffer() {
        if (data_ != nullptr) cudaFree(data_);
    }
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;

    T* data() const { return data_; }
    size_t bytes() const { return count_ * sizeof(T); }
    /// Frees it before its time.
    T* lose() {
        T* lost = data_;
        ok(cudaFree(data_));
        data_ = nullptr;
        return lost;
    }
    std::vector<T> values() const {
        std::vector<T> host(count_);
        ok(cudaMemcpy(host.data(), data_, bytes(), cudaMemcpyDeviceToHost));
        return host;
    }

private:
    T* data_ = nullptr;
    size_t count_;
};

struct Test {
    std::string name;
    std::function<void()> run;
};

inline int run_all(const char* subject, const std::vector<Test>& tests) {
    size_t failed = 0;
    for (const Test& test : tests) {
        try {
            test.run();
        } catch (const std::exception& error) {
            ++failed;
            std::printf("FAILED %s %s: %s\n", subject, test.name.c_str(), error.what());
        }
    }
    take_faults();  // those of failed tests have been told
    std::printf("%s: %zu passed, %zu failed\n", subject, tests.size() - failed, failed);
    return failed != 0 || tests.empty();
}

}  // namespace checking
