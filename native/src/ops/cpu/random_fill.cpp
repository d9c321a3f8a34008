#include <cmath>

#include "ops/checks.h"
#include "ops/cpu/ranges.h"
#include "ops/ops.h"

namespace vaccine::ops {
namespace {

constexpr int64_t kBlock = 4;  // elements of one Philox call
constexpr int64_t kGrain = 2048;

/// f(words, values) turns each of the sequence's blocks into four elements of x.
template <class F> void fill_blocks(Stream& stream, const View& x, const RandomKey& key, F f) {
    float* data = x.as<float>();
    for_ranges(stream, x.count(), kGrain, [&](int64_t first, int64_t last) {
        for (int64_t i = first; i < last; i += kBlock) {
            float values[kBlock];
            f(random_block(key, static_cast<uint64_t>(i / kBlock)), values);
            for (int64_t j = 0; j < std::min(kBlock, last - i); ++j) data[i + j] = values[j];
        }
    });
}
static_assert(kGrain % kBlock == 0, "a block's elements belong to one task");

/// Two normal numbers from two words (Box & Muller 1958). The first uniform is in (0, 1]: its logarithm is finite.
void normal_pair(uint32_t a, uint32_t b, float deviation, float* values) {
    constexpr float kTurn = 6.28318530717958648f;
    const float radius = deviation * std::sqrt(-2.0f * std::log(1.0f - random_uniform(a)));
    const float angle = kTurn * random_uniform(b);
    values[0] = radius * std::cos(angle);
    values[1] = radius * std::sin(angle);
}

}  // namespace

void fill_normal(Stream& stream, View x, float deviation, const RandomKey& key) {
    Check("fill_normal").vector("x", x, DType::F32, x.count());
    fill_blocks(stream, x, key, [&](const RandomBlock& block, float* values) {
        normal_pair(block.word[0], block.word[1], deviation, values);
        normal_pair(block.word[2], block.word[3], deviation, values + 2);
    });
}

void fill_uniform(Stream& stream, View x, float low, float high, const RandomKey& key) {
    Check("fill_uniform").vector("x", x, DType::F32, x.count());
    fill_blocks(stream, x, key, [&](const RandomBlock& block, float* values) {
        for (int64_t j = 0; j < kBlock; ++j) {
            const float value = low + (high - low) * random_uniform(block.word[j]);
            values[j] = value < high ? value : low;  // where rounding reaches the open end
        }
    });
}

}  // namespace vaccine::ops
