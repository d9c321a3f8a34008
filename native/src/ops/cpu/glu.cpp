#include "ops/checks.h"
#include "ops/cpu/ranges.h"
#include "ops/cpu/vector_kernels.h"
#include "ops/ops.h"

namespace vaccine::ops {
namespace {

constexpr int64_t kGrain = kTaskElements / 2;  // an exp and a division per element

}  // namespace

void glu_forward(Stream& stream, Activation activation, View gate, View up, View out) {
    const Check check("glu_forward");
    check.matrix("gate", gate, DType::F32, gate.rows, gate.columns);
    check.matrix("up", up, DType::F32, gate.rows, gate.columns);
    check.matrix("out", out, DType::F32, gate.rows, gate.columns);
    const auto kernel = vector_kernels().glu[static_cast<int>(activation)];
    for_ranges(stream, gate.count(), kGrain, [&](int64_t first, int64_t last) {
        kernel(gate.as<float>() + first, up.as<float>() + first, out.as<float>() + first, last - first);
    });
}

void glu_backward(Stream& stream, Activation activation, View dout, View gate, View up) {
    const Check check("glu_backward");
    check.matrix("dout", dout, DType::F32, gate.rows, gate.columns);
    check.matrix("gate", gate, DType::F32, gate.rows, gate.columns);
    check.matrix("up", up, DType::F32, gate.rows, gate.columns);
    const auto kernel = vector_kernels().glu_backward[static_cast<int>(activation)];
    for_ranges(stream, gate.count(), kGrain, [&](int64_t first, int64_t last) {
        kernel(dout.as<float>() + first, gate.as<float>() + first, up.as<float>() + first, last - first);
    });
}

}  // namespace vaccine::ops
