// What must be true of kernels whatever the committed table says.
#pragma once
#include <string>
#include <vector>

#include "kernel.h"

namespace vaccine::kernels {

/// A line for each kernel that breaks a rule.
std::vector<std::string> broken_rules(const std::vector<Kernel>& kernels);

}  // namespace vaccine::kernels
