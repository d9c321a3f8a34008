// Empty where the processor is another one (isa.cmake).
#if defined(__AVX512F__)
#include "ops/cpu/vector/avx512.h"
//
#include "ops/cpu/vector_kernels.inl"
#include "ops/cpu/vector_kernels_by_isa.h"

namespace vaccine::ops {

const VectorKernels kVectorKernelsAvx512 = make_kernels();

}  // namespace vaccine::ops

#endif
