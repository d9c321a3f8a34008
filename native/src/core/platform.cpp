#include "core/platform.h"

#include <algorithm>
#include <fstream>
#include <thread>

#include "core/cpu_features.h"

#if defined(_WIN32)
#define NOMINMAX
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#else
#include <sys/mman.h>
#include <unistd.h>
#endif
#if defined(__linux__)
#include <sched.h>
#endif
#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#endif

namespace vaccine::platform {

#if defined(_WIN32)

void* map_zeroed(int64_t bytes) {
    return VirtualAlloc(nullptr, static_cast<size_t>(bytes), MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
}

void unmap(void* memory, int64_t) {
    VirtualFree(memory, 0, MEM_RELEASE);
}

int32_t processor_count() {
    DWORD_PTR process = 0, system = 0;
    int32_t count = 0;
    if (GetProcessAffinityMask(GetCurrentProcess(), &process, &system))
        for (; process != 0; process &= process - 1) ++count;
    return count > 0 ? count : std::max(1, static_cast<int32_t>(std::thread::hardware_concurrency()));
}

Memory memory() {
    MEMORYSTATUSEX status{};
    status.dwLength = sizeof status;
    if (!GlobalMemoryStatusEx(&status)) return {};
    return {static_cast<int64_t>(status.ullTotalPhys), static_cast<int64_t>(status.ullAvailPhys)};
}

#else

void* map_zeroed(int64_t bytes) {
    void* memory = mmap(nullptr, static_cast<size_t>(bytes), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return nullptr;
#if defined(MADV_HUGEPAGE)
    madvise(memory, static_cast<size_t>(bytes), MADV_HUGEPAGE);  // a wish: fewer misses in the page tables of a large arena
#endif
    return memory;
}

void unmap(void* memory, int64_t bytes) {
    munmap(memory, static_cast<size_t>(bytes));
}

#if defined(__linux__)

int32_t processor_count() {
    int32_t count = std::max(1, static_cast<int32_t>(std::thread::hardware_concurrency()));
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) count = CPU_COUNT(&set);
    std::ifstream quota("/sys/fs/cgroup/cpu.max");  // "max 100000" or two numbers of microseconds
    double used = 0, period = 0;
    if (quota >> used >> period && period > 0) count = std::min(count, std::max(1, static_cast<int32_t>(used / period + 0.5)));
    return count;
}

Memory memory() {
    Memory found;
    std::ifstream information("/proc/meminfo");
    std::string name;
    int64_t kibibytes = 0;
    for (std::string rest; information >> name >> kibibytes && std::getline(information, rest);) {
        if (name == "MemTotal:") found.total_bytes = kibibytes * 1024;
        if (name == "MemAvailable:") found.free_bytes = kibibytes * 1024;
    }
    int64_t limit = 0, current = 0;  // the file says "max" where there is no limit
    if (std::ifstream("/sys/fs/cgroup/memory.max") >> limit && std::ifstream("/sys/fs/cgroup/memory.current") >> current) {
        found.total_bytes = std::min(found.total_bytes, limit);
        found.free_bytes = std::max<int64_t>(0, std::min(found.free_bytes, limit - current));
    }
    return found;
}

#else

int32_t processor_count() {
    return std::max(1, static_cast<int32_t>(std::thread::hardware_concurrency()));
}

Memory memory() {
    const int64_t bytes = static_cast<int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE);
    return {bytes, bytes};
}

#endif
#endif

std::string processor_name() {
    std::string name = cpu_brand();
    name.erase(0, std::min(name.find_first_not_of(' '), name.size()));
    name.erase(name.find_last_not_of(' ') + 1);
    return name.empty() ? "CPU" : name;
}

void relax() {
#if defined(__x86_64__) || defined(_M_X64)
    _mm_pause();
#else
    std::this_thread::yield();
#endif
}

}  // namespace vaccine::platform
