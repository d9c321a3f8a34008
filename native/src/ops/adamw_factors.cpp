#include "ops/adamw_factors.h"

#include <cmath>

#include "ops/ops.h"

namespace vaccine::ops {

AdamWFactors::AdamWFactors(const AdamW& options)
    : decay(static_cast<float>(1 - options.learning_rate * options.weight_decay)),
      beta1(static_cast<float>(options.beta1)),
      one_minus_beta1(static_cast<float>(1 - options.beta1)),
      beta2(static_cast<float>(options.beta2)),
      one_minus_beta2(static_cast<float>(1 - options.beta2)),
      step_size(static_cast<float>(options.learning_rate / (1 - std::pow(options.beta1, static_cast<double>(options.step))))),
      root_correction(static_cast<float>(std::sqrt(1 - std::pow(options.beta2, static_cast<double>(options.step))))),
      epsilon(static_cast<float>(options.epsilon)) {}

}  // namespace vaccine::ops
