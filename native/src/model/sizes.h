#pragma once
#include "model/plan.h"
#include "model/shape.h"

namespace vaccine::sizes {

/// Numbered fp64 results of a session; nativevaccine.h calls it VACCINE_SCALARS.
constexpr int64_t kScalars = 4096;

/// The shape itself. Throws Error(InvalidArgument) naming the first field of a shape or of plan options that cannot be.
const ModelShape& checked(const ModelShape& shape, const PlanOptions& options);

}  // namespace vaccine::sizes
