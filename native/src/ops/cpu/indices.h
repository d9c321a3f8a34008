#pragma once
#include "ops/checks.h"

namespace vaccine::ops {

/// Throws unless every element of the int32 view lies in [0, limit). Only where the device's memory is the host's.
inline void check_indices(const Check& check, const char* argument, const View& view, int64_t limit) {
    const int32_t* index = view.as<const int32_t>();
    for (int64_t i = 0; i < view.count(); ++i) {
        if (index[i] >= 0 && index[i] < limit) continue;
        const std::string element = std::string(argument) + "[" + std::to_string(i) + "]";
        check.refuse(element.c_str(), "0 to " + std::to_string(limit - 1), std::to_string(index[i]));
    }
}

}  // namespace vaccine::ops
