#pragma once
#include <vector>

#include "model/shape.h"

namespace vaccine {

/// Angle per position of each of the HD/2 pairs (Su et al. 2021), with its scaling applied: linear (position interpolation, Chen et
/// al. 2023) or llama3 (by wavelength, as transformers' _compute_llama3_parameters).
std::vector<float> rope_frequency(const Rope& rope, int64_t head_size);

}  // namespace vaccine
