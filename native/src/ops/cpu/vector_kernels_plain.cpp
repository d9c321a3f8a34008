#include "ops/cpu/vector/plain.h"
//
#include "ops/cpu/vector_kernels.inl"
#include "ops/cpu/vector_kernels_by_isa.h"

namespace vaccine::ops {

const VectorKernels kVectorKernelsPlain = make_kernels();

}  // namespace vaccine::ops
