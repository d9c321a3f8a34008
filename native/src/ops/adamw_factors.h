#pragma once

namespace vaccine::ops {

struct AdamW;

/// AdamW's constants in fp32, as torch rounds its Python scalars: computed in fp64 and rounded once.
struct AdamWFactors {
    float decay;  // 1 - learning_rate weight_decay
    float beta1, one_minus_beta1, beta2, one_minus_beta2;
    float step_size;        // learning_rate / (1 - beta1^step)
    float root_correction;  // sqrt(1 - beta2^step)
    float epsilon;

    explicit AdamWFactors(const AdamW& options);
};

}  // namespace vaccine::ops
