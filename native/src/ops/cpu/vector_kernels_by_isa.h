#pragma once
#include "ops/cpu/vector_kernels.h"

namespace vaccine::ops {

extern const VectorKernels kVectorKernelsPlain;
#if defined(__x86_64__) || defined(_M_X64)
extern const VectorKernels kVectorKernelsAvx2;
extern const VectorKernels kVectorKernelsAvx512;
#endif

}  // namespace vaccine::ops
