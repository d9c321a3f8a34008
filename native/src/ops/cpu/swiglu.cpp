#include "ops/checks.h"
#include "ops/cpu/ranges.h"
#include "ops/cpu/vector_kernels.h"
#include "ops/ops.h"

namespace vaccine::ops {
namespace {

constexpr int64_t kGrain = kTaskElements / 2;  // an exp and a division per element

}  // namespace

void swiglu_forward(Stream& stream, View gate, View up, View out) {
    const Check check("swiglu_forward");
    check.matrix("gate", gate, DType::F32, gate.rows, gate.columns);
    check.matrix("up", up, DType::F32, gate.rows, gate.columns);
    check.matrix("out", out, DType::F32, gate.rows, gate.columns);
    const VectorKernels& kernels = vector_kernels();
    for_ranges(stream, gate.count(), kGrain, [&](int64_t first, int64_t last) {
        kernels.swiglu(gate.as<float>() + first, up.as<float>() + first, out.as<float>() + first, last - first);
    });
}

void swiglu_backward(Stream& stream, View dout, View gate, View up) {
    const Check check("swiglu_backward");
    check.matrix("dout", dout, DType::F32, gate.rows, gate.columns);
    check.matrix("gate", gate, DType::F32, gate.rows, gate.columns);
    check.matrix("up", up, DType::F32, gate.rows, gate.columns);
    const VectorKernels& kernels = vector_kernels();
    for_ranges(stream, gate.count(), kGrain, [&](int64_t first, int64_t last) {
        kernels.swiglu_backward(dout.as<float>() + first, gate.as<float>() + first, up.as<float>() + first, last - first);
    });
}

}  // namespace vaccine::ops
