// Every task once, on workers that never share an index; nesting, exceptions, sleep and shutdown. The tsan preset runs it too.
#include "core/thread_pool.h"

#include <chrono>
#include <cstdio>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>

#include "core/device.h"
#include "core/error.h"
#include "ops/cpu/pool.h"

using vaccine::ThreadPool;

namespace {

void check(bool good, const std::string& what) {
    if (!good) throw std::runtime_error(what);
}

void every_task_once(int32_t threads) {
    ThreadPool pool(threads);
    check(pool.threads() == threads, "the pool has another number of threads");
    for (int64_t tasks : {0, 1, 2, 3, 7, 100, 1000}) {
        for (int repeat = 0; repeat < 50; ++repeat) {
            std::vector<int> seen(tasks, 0);  // not atomic: a task that ran twice at once would be a race
            std::vector<int> busy(threads, 0);
            pool.parallel_for(tasks, [&](int64_t task, int32_t worker) {
                check(worker >= 0 && worker < threads, "a worker's index is out of range");
                check(busy[worker]++ == 0, "two tasks run as one worker");
                ++seen[task];
                --busy[worker];
            });
            for (int64_t t = 0; t < tasks; ++t)
                check(seen[t] == 1, "task " + std::to_string(t) + " ran " + std::to_string(seen[t]) + " times");
        }
    }
}

void helpers_help() {
    ThreadPool pool(2);
    std::atomic<int> arrived{0};
    pool.parallel_for(2, [&](int64_t) {  // ends only when both run at the same time
        ++arrived;
        while (arrived < 2) std::this_thread::yield();
    });
}

void nested_runs_serially() {
    ThreadPool pool(3);
    std::atomic<int64_t> total{0};
    pool.parallel_for(20, [&](int64_t, int32_t outer) {
        const std::thread::id thread = std::this_thread::get_id();
        int64_t expected = 0;
        pool.parallel_for(10, [&](int64_t task, int32_t worker) {
            check(std::this_thread::get_id() == thread && worker == outer, "a nested task left its thread");
            check(task == expected++, "nested tasks are out of order");
            total += task;
        });
    });
    check(total == 20 * 45, "nested tasks are missing");
}

void exceptions_arrive(int32_t threads) {
    ThreadPool pool(threads);
    for (int repeat = 0; repeat < 100; ++repeat) {
        std::string message;
        try {
            pool.parallel_for(50, [&](int64_t task) {
                if (task % 10 == 3) throw std::runtime_error("task failed");
            });
        } catch (const std::runtime_error& error) {
            message = error.what();
        }
        check(message == "task failed", "the exception did not arrive");
        std::atomic<int> ran{0};
        pool.parallel_for(50, [&](int64_t) { ++ran; });
        check(ran == 50, "the pool does not work after an exception");
    }
}

/// Long pauses put the helpers to sleep, and short ones catch them while they fall asleep.
void wakes_from_sleep() {
    ThreadPool pool(4);
    std::vector<int64_t> sums(pool.threads(), 0);
    int64_t expected = 0;
    for (int repeat = 0; repeat < 400; ++repeat) {
        pool.parallel_for(8, [&](int64_t task, int32_t worker) { sums[worker] += task; });
        expected += 28;
        std::this_thread::sleep_for(std::chrono::microseconds(repeat % 40 * 5));
    }
    int64_t total = 0;
    for (int64_t sum : sums) total += sum;
    check(total == expected, "tasks are missing");
}

void pools_coexist() {
    ThreadPool first(2), second(3);
    std::atomic<int> ran{0};
    std::thread other([&] {
        for (int i = 0; i < 200; ++i) second.parallel_for(5, [&](int64_t) { ++ran; });
    });
    for (int i = 0; i < 200; ++i) first.parallel_for(5, [&](int64_t) { ++ran; });
    other.join();
    first.parallel_for(4, [&](int64_t) {
        ThreadPool inner(2);  // another pool than the one whose task this is
        inner.parallel_for(5, [&](int64_t) { ++ran; });
    });
    check(ran == 2020, "tasks are missing");
}

void starts_and_stops() {
    for (int repeat = 0; repeat < 100; ++repeat) {
        ThreadPool pool(1 + repeat % 4);
        if (repeat % 3 == 0) pool.parallel_for(4, [](int64_t) {});
    }
}

void device_has_a_pool() {
    const auto device = vaccine::Device::open(0, 3), other = vaccine::Device::open(0, 0);
    check(vaccine::ops::pool(device->stream()).threads() == 3 && device->info().threads == 3, "the device has another number of threads");
    check(other->info().threads >= 1 && other->info().total_bytes > 0 && !other->info().name.empty(), "the device does not know itself");
    const int64_t bytes = 5 << 20;
    auto* memory = static_cast<unsigned char*>(device->allocate(bytes));
    check(reinterpret_cast<uintptr_t>(memory) % 256 == 0, "memory is not aligned");
    for (int64_t i = 0; i < bytes; ++i) check(memory[i] == 0, "memory is not zero");
    const uint64_t value = 0x0123456789ABCDEF;
    uint64_t back = 0;
    device->upload(memory + bytes - 8, &value, 8);
    device->download(&back, memory + bytes - 8, 8);
    check(back == value, "a copy came back changed");
    device->release(memory);
    bool refused = false;
    try {
        device->release(memory);
    } catch (const vaccine::Error&) {
        refused = true;
    }
    check(refused, "memory was released twice");
    refused = false;
    try {
        static_cast<void>(device->allocate(int64_t{1} << 60));
    } catch (const vaccine::Error& error) {
        refused = error.status() == vaccine::Status::OutOfMemory;
    }
    check(refused, "2^60 bytes were allocated");
}

}  // namespace

int main() {
    const std::pair<const char*, std::function<void()>> tests[] = {
        {"every task once, 1 thread", [] { every_task_once(1); }},
        {"every task once, 2 threads", [] { every_task_once(2); }},
        {"every task once, 5 threads", [] { every_task_once(5); }},
        {"helpers help", helpers_help},
        {"nested runs serially", nested_runs_serially},
        {"exceptions arrive, 1 thread", [] { exceptions_arrive(1); }},
        {"exceptions arrive, 3 threads", [] { exceptions_arrive(3); }},
        {"wakes from sleep", wakes_from_sleep},
        {"pools coexist", pools_coexist},
        {"starts and stops", starts_and_stops},
        {"device has a pool", device_has_a_pool},
    };
    int failed = 0;
    for (const auto& [name, test] : tests) {
        try {
            test();
        } catch (const std::exception& error) {
            ++failed;
            std::printf("FAILED thread_pool %s: %s\n", name, error.what());
        }
    }
    std::printf("thread_pool: %zu passed, %d failed\n", std::size(tests) - failed, failed);
    return failed != 0;
}
