#include "ops/cpu/vector_kernels.h"

#include "core/cpu_features.h"
#include "ops/cpu/vector_kernels_by_isa.h"

namespace vaccine::ops {

const VectorKernels& vector_kernels() {
    switch (active_isa()) {
#if defined(__x86_64__) || defined(_M_X64)
        case Isa::Avx512:
            return kVectorKernelsAvx512;
        case Isa::Avx2:
            return kVectorKernelsAvx2;
#endif
        default:
            return kVectorKernelsPlain;
    }
}

}  // namespace vaccine::ops
