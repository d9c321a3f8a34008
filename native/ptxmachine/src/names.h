// Names of kernels for people: what the compiler made of them, read back and shortened.
#pragma once
#include <string>

namespace vaccine::ptx {

/// `_ZN7vaccine3ops9each_packILi4E...` -> `each_pack<4, Copy<float, float>>`: without return type, parameters, namespaces and the hash that
/// nvcc gives to unnamed ones (it depends on where the sources lie). A name that is not mangled stays as it is.
std::string readable_name(const std::string& mangled);

}  // namespace vaccine::ptx
