// The text of one kernel -> decoded instructions.
#pragma once
#include <memory>

#include "program.h"

namespace vaccine::ptx {

/// Throws Unsupported, naming the statement and its line, for anything that the table does not know.
std::unique_ptr<Kernel> decode_kernel(const KernelText& text, const Module& module);

}  // namespace vaccine::ptx
