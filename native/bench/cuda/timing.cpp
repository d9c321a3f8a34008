#include "timing.h"

#include <cuda_runtime_api.h>

#include <algorithm>

#include "ops/cuda/stream.h"

namespace vaccine::bench {
namespace {

constexpr int kWarmUp = 3, kRepeats = 15, kMostCalls = 50;
constexpr double kShortest = 5e-4;  // seconds of one measurement: what a launch and an event cost is lost in it

struct Event {
    cudaEvent_t event = nullptr;
    Event() { ops::check_cuda(cudaEventCreate(&event), "cudaEventCreate"); }
    ~Event() { cudaEventDestroy(event); }
    Event(const Event&) = delete;
    Event& operator=(const Event&) = delete;
};

}  // namespace

double seconds_of(const Stream& stream, const std::vector<std::function<void()>>& runs) {
    const Event start, end;
    size_t next = 0;
    const auto time = [&](int calls) {
        ops::check_cuda(cudaEventRecord(start.event, ops::queue(stream)), "cudaEventRecord");
        for (int call = 0; call < calls; ++call) runs[next++ % runs.size()]();
        ops::check_cuda(cudaEventRecord(end.event, ops::queue(stream)), "cudaEventRecord");
        ops::check_cuda(cudaEventSynchronize(end.event), "cudaEventSynchronize");
        float milliseconds = 0;
        ops::check_cuda(cudaEventElapsedTime(&milliseconds, start.event, end.event), "cudaEventElapsedTime");
        return static_cast<double>(milliseconds) * 1e-3 / calls;
    };
    time(kWarmUp);
    const int calls = std::clamp(static_cast<int>(kShortest / time(kWarmUp)), 1, kMostCalls);
    std::vector<double> seconds;
    for (int i = 0; i < kRepeats; ++i) seconds.push_back(time(calls));
    std::sort(seconds.begin(), seconds.end());
    return seconds[seconds.size() / 2];
}

double copy_rate(const Stream& stream) {
    constexpr size_t kBytes = size_t{512} << 20;
    void *from = nullptr, *to = nullptr;
    ops::check_cuda(cudaMalloc(&from, kBytes), "cudaMalloc");
    ops::check_cuda(cudaMalloc(&to, kBytes), "cudaMalloc");
    const double seconds = seconds_of(stream, {[&] { cudaMemcpyAsync(to, from, kBytes, cudaMemcpyDeviceToDevice, ops::queue(stream)); }});
    cudaFree(from);
    cudaFree(to);
    return 2.0 * static_cast<double>(kBytes) / seconds;
}

}  // namespace vaccine::bench
