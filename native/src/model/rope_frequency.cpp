#include "model/rope_frequency.h"

#include <cmath>

namespace nv {
namespace {

constexpr double kPi = 3.14159265358979323846;

/// Long wavelengths are stretched by the factor, short ones kept, those between blended.
double llama3(double frequency, const ModelShape& shape) {
    const double wavelength = 2 * kPi / frequency;
    if (wavelength < shape.rope_original / shape.rope_high) return frequency;
    if (wavelength > shape.rope_original / shape.rope_low) return frequency / shape.rope_factor;
    const double blend = (shape.rope_original / wavelength - shape.rope_low) / (shape.rope_high - shape.rope_low);
    return (1 - blend) * frequency / shape.rope_factor + blend * frequency;
}

}  // namespace

std::vector<float> rope_frequency(const ModelShape& shape) {
    std::vector<float> result;
    for (int64_t i = 0; i < shape.head_size / 2; ++i) {
        double frequency = std::pow(shape.rope_theta, -2.0 * static_cast<double>(i) / static_cast<double>(shape.head_size));
        if (shape.rope_scaling == RopeScaling::Linear) frequency /= shape.rope_factor;
        if (shape.rope_scaling == RopeScaling::Llama3) frequency = llama3(frequency, shape);
        result.push_back(static_cast<float>(frequency));
    }
    return result;
}

}  // namespace nv
