// Empty where the processor is another one (isa.cmake).
#if defined(__AVX2__)
#include "ops/cpu/vector/avx2.h"
//
#include "ops/cpu/vector_kernels.inl"
#include "ops/cpu/vector_kernels_by_isa.h"

namespace vaccine::ops {

const VectorKernels kVectorKernelsAvx2 = make_kernels();

}  // namespace vaccine::ops

#endif
