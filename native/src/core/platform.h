// The one place for what only one operating system has.
#pragma once
#include <cstdint>
#include <string>

namespace vaccine::platform {

/// Zeroed pages straight from the system, aligned to a page at least; null where there are none.
void* map_zeroed(int64_t bytes);
/// bytes: as given to map_zeroed.
void unmap(void* memory, int64_t bytes);

/// Processors that this process may use: those of its affinity, and no more than its container's quota.
int32_t processor_count();
/// As the processor calls itself; "CPU" where it does not.
std::string processor_name();

struct Memory {
    int64_t total_bytes = 0, free_bytes = 0;  // free: what could be taken without swapping
};
Memory memory();

/// Tells the processor that this thread is in a spin loop.
void relax();

}  // namespace vaccine::platform
