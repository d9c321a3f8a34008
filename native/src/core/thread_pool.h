#pragma once
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <type_traits>
#include <vector>

#include "core/error.h"

namespace vaccine {

/// Threads that share out the tasks of one loop at a time. Tasks are taken one by one, so that a thread which the system has put aside
/// holds up no more than the task it has; the caller works too, and waits for nobody who has not started. A thread without work spins
/// for a moment, since the next op follows within microseconds, and then sleeps.
class ThreadPool {
public:
    /// threads: the caller's included, so 1 starts none.
    explicit ThreadPool(int32_t threads);
    ~ThreadPool();
    ThreadPool(const ThreadPool&) = delete;
    ThreadPool& operator=(const ThreadPool&) = delete;

    /// See Device::watch.
    void watch(const std::atomic<bool>* asked) { asked_ = asked; }
    /// For tasks that take long: throws where the loop is to end.
    void check_interrupt() const { vaccine::check_interrupt(asked_); }

    int32_t threads() const { return static_cast<int32_t>(helpers_.size()) + 1; }

    /// Calls f(task) or f(task, worker) for every task in [0, tasks), in any order and on any thread; returns when all are done.
    /// worker: in [0, threads()), different for tasks that run at the same time: an index for scratch memory.
    /// The first exception of a task is thrown here, once the tasks that had begun are over; the others are left out.
    /// Called from within a task, it runs there, in order. One caller at a time. Before each task it looks whether it is to end (watch).
    template <class F> void parallel_for(int64_t tasks, F&& f) {
        using Function = std::remove_reference_t<F>;
        run(tasks, const_cast<void*>(static_cast<const void*>(&f)), [](void* context, int64_t task, int32_t worker) {
            Function& call = *static_cast<Function*>(context);
            if constexpr (std::is_invocable_v<Function&, int64_t, int32_t>) {
                call(task, worker);
            } else {
                static_cast<void>(worker);
                call(task);
            }
        });
    }

private:
    using Call = void (*)(void* context, int64_t task, int32_t worker);

    void run(int64_t tasks, void* context, Call call);
    void work(int32_t worker);
    void help(int32_t worker);
    uint64_t wait_for_loop(uint64_t last);
    bool enter(uint64_t last);
    void leave();
    void wait_until_left();

    // The loop at hand. Written only while the gate is closed and nobody is inside.
    Call call_ = nullptr;
    void* context_ = nullptr;
    int64_t tasks_ = 0;
    const std::atomic<bool>* asked_ = nullptr;
    std::exception_ptr failure_;  // guarded by mutex_

    alignas(64) std::atomic<int64_t> next_{0};

    // Number of the loop << 32 | open << 31 | helpers inside.
    alignas(64) std::atomic<uint64_t> gate_{0};
    std::atomic<int32_t> sleepers_{0};
    std::atomic<bool> caller_sleeps_{false};
    std::atomic<bool> stop_{false};

    alignas(64) std::mutex mutex_;
    std::condition_variable opened_, left_;
    bool spin_ = true;
    std::vector<std::thread> helpers_;
};

}  // namespace vaccine
