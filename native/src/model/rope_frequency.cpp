#include "model/rope_frequency.h"

#include <cmath>

namespace vaccine {
namespace {

constexpr float kPi = 3.14159265358979323846f;

/// Long wavelengths are stretched by the factor, short ones kept, those between blended.
float llama3(float frequency, const Rope& rope) {
    const auto original = static_cast<float>(rope.original), factor = static_cast<float>(rope.factor);
    const auto low = static_cast<float>(rope.low), high = static_cast<float>(rope.high);
    const float wavelength = 2 * kPi / frequency;
    if (wavelength < original / high) return frequency;
    if (wavelength > original / low) return frequency / factor;
    const float blend = (original / wavelength - low) / (high - low);
    return (1 - blend) * frequency / factor + blend * frequency;
}

}  // namespace

// fp32 in the order of transformers' operations: an angle is the frequency times a position, so that an error of one unit in the last place
// here grows with the position, and shows in a model's losses.
std::vector<float> rope_frequency(const Rope& rope, int64_t head_size) {
    std::vector<float> result;
    for (int64_t i = 0; i < head_size / 2; ++i) {
        const float exponent = static_cast<float>(2 * i) / static_cast<float>(head_size);
        float frequency = 1 / static_cast<float>(std::pow(rope.theta, static_cast<double>(exponent)));
        if (rope.scaling == RopeScaling::Linear) frequency /= static_cast<float>(rope.factor);
        if (rope.scaling == RopeScaling::Llama3) frequency = llama3(frequency, rope);
        result.push_back(frequency);
    }
    return result;
}

}  // namespace vaccine
