// Takes the kernels out of a library, or of object files, with cuobjdump.
#pragma once
#include <string>
#include <vector>

#include "kernel.h"

namespace vaccine::kernels {

/// Sorted by name. Kernels of one name are numbered. Throws std::runtime_error if cuobjdump cannot read a file.
std::vector<Kernel> read_kernels(const std::vector<std::string>& files);

/// Takes threads and dynamic shared memory, the largest, from lines that ptxmachine prints for each launch (PTXMACHINE_TRACE=1).
void add_launches(std::vector<Kernel>& kernels, const std::string& trace_file);

}  // namespace vaccine::kernels
