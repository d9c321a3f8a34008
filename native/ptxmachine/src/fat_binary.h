// The PTX that nvcc put into a program.
#pragma once
#include <string>

namespace vaccine::ptx {

/// The text for the newest architecture up to sm_86 in a registered fat binary; empty when it holds none. Throws Unsupported when it is
/// compressed.
std::string ptx_of(const void* fat_binary);

}  // namespace vaccine::ptx
