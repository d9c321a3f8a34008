#include "core/thread_pool.h"

#include <algorithm>
#include <chrono>
#include <system_error>

#include "core/platform.h"

namespace vaccine {
namespace {

constexpr uint64_t kOpen = 1ull << 31;
constexpr uint64_t kInside = kOpen - 1;
constexpr std::chrono::microseconds kSpin{30};

uint64_t loop_of(uint64_t gate) {
    return gate >> 32;
}

/// True as soon as `done` is; false once kSpin has passed without.
template <class Done> bool spin_until(bool allowed, Done done) {
    if (done()) return true;
    if (!allowed) return false;
    const auto end = std::chrono::steady_clock::now() + kSpin;
    do {
        for (int i = 0; i < 16; ++i) {
            platform::relax();
            if (done()) return true;
        }
    } while (std::chrono::steady_clock::now() < end);
    return false;
}

/// Which pool this thread runs a task of, and as which worker.
struct Place {
    const void* pool = nullptr;
    int32_t worker = 0;
};
thread_local Place place;

}  // namespace

ThreadPool::ThreadPool(int32_t threads) : spin_(threads <= platform::processor_count()) {
    try {
        for (int32_t worker = 1; worker < threads; ++worker) helpers_.emplace_back([this, worker] { help(worker); });
    } catch (const std::system_error&) {
        // The system gives no more threads: fewer do the same work, with the same result.
    }
}

ThreadPool::~ThreadPool() {
    {
        std::lock_guard lock(mutex_);
        stop_ = true;
    }
    opened_.notify_all();
    for (std::thread& helper : helpers_) helper.join();
}

void ThreadPool::run(int64_t tasks, void* context, Call call) {
    const bool nested = place.pool == this;
    if (nested || helpers_.empty() || tasks <= 1) {
        const int32_t worker = nested ? place.worker : 0;
        for (int64_t task = 0; task < tasks; ++task) {
            check_interrupt();
            call(context, task, worker);
        }
        return;
    }
    call_ = call;
    context_ = context;
    tasks_ = tasks;
    next_.store(0, std::memory_order_relaxed);
    gate_.store((loop_of(gate_.load(std::memory_order_relaxed)) + 1) << 32 | kOpen);  // before sleepers_ is read: see wait_for_loop
    if (sleepers_.load() > 0) {
        { std::lock_guard lock(mutex_); }  // whoever is about to sleep has either seen the gate or waits now
        if (tasks == 2)
            opened_.notify_one();
        else
            opened_.notify_all();
    }

    work(0);
    gate_.fetch_and(~kOpen);
    wait_until_left();
    if (failure_) {
        std::exception_ptr failure = nullptr;
        std::swap(failure, failure_);
        std::rethrow_exception(failure);
    }
}

void ThreadPool::work(int32_t worker) {
    const Place before = place;
    place = {this, worker};
    try {
        for (;;) {
            const int64_t task = next_.fetch_add(1, std::memory_order_relaxed);
            if (task >= tasks_) break;
            check_interrupt();
            call_(context_, task, worker);
        }
    } catch (...) {
        next_.store(tasks_, std::memory_order_relaxed);
        std::lock_guard lock(mutex_);
        if (!failure_) failure_ = std::current_exception();
    }
    place = before;
}

void ThreadPool::help(int32_t worker) {
    for (uint64_t last = 0;;) {
        last = wait_for_loop(last);
        if (stop_.load()) return;
        if (!enter(last)) continue;
        work(worker);
        leave();
    }
}

/// Returns the number of an open loop other than `last`, or at any time after stop_.
uint64_t ThreadPool::wait_for_loop(uint64_t last) {
    const auto opened = [this, last] {
        const uint64_t gate = gate_.load();
        return stop_.load() || ((gate & kOpen) && loop_of(gate) != last);
    };
    if (!spin_until(spin_, opened)) {
        std::unique_lock lock(mutex_);
        sleepers_.fetch_add(1);  // before the gate is read again, as run() opens it before it reads sleepers_: one of us sees the other
        opened_.wait(lock, opened);
        sleepers_.fetch_sub(1);
    }
    return loop_of(gate_.load());
}

/// Steps inside if the loop is still open.
bool ThreadPool::enter(uint64_t loop) {
    uint64_t gate = gate_.load();
    while ((gate & kOpen) && loop_of(gate) == loop)
        if (gate_.compare_exchange_weak(gate, gate + 1)) return true;
    return false;
}

void ThreadPool::leave() {
    const uint64_t gate = gate_.fetch_sub(1) - 1;
    if ((gate & (kOpen | kInside)) == 0 && caller_sleeps_.load()) {
        { std::lock_guard lock(mutex_); }
        left_.notify_one();
    }
}

void ThreadPool::wait_until_left() {
    const auto left = [this] { return (gate_.load() & kInside) == 0; };
    if (spin_until(spin_, left)) return;
    std::unique_lock lock(mutex_);
    caller_sleeps_.store(true);
    left_.wait(lock, left);
    caller_sleeps_.store(false);
}

}  // namespace vaccine
