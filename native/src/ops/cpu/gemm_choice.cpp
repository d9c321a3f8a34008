#include "core/error.h"
#include "ops/ops.h"

namespace vaccine::ops {

void choose_gemm(Stream&, GemmChoice choice) {
    if (choice == GemmChoice::Cublas)
        throw Error(Status::Unsupported, "gemm: cuBLAS multiplies on a GPU only; expected own or auto on a CPU");
}

bool has_cublas() {
    return false;
}

}  // namespace vaccine::ops
