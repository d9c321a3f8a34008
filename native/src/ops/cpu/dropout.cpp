#include "ops/cpu/dropout.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "core/cpu_features.h"
#include "core/error.h"
#include "ops/cpu/dropout_kernels.h"
#include "ops/cpu/ranges.h"

namespace vaccine::ops {
namespace {

constexpr int64_t kBlock = 4;  // elements that one Philox block serves

/// Elements [begin, end) of the whole matrix, by the definition.
void plain(const DropoutMask& mask, const RandomKey& key, int64_t begin, int64_t end, const float* from, float* to) {
    for (int64_t i = begin; i < end;) {
        const RandomBlock random = random_block(key, static_cast<uint64_t>(i / kBlock));
        for (const int64_t stop = std::min(end, (i / kBlock + 1) * kBlock); i < stop; ++i, ++from, ++to) {
            const float value = random.word[i % kBlock] >> 8 >= mask.threshold ? *from * mask.scale : 0.0f;
            *to = mask.add ? *to + value : value;
        }
    }
}

DropoutBlocks vectors() {
    switch (active_isa()) {
        case Isa::Avx512:
            return dropout_avx512;
        case Isa::Avx2:
            return dropout_avx2;
        default:
            return nullptr;
    }
}

}  // namespace

void dropout(Stream& stream, const Dropout& options, int64_t first, int64_t count, const float* from, float* to, bool add) {
    const double p = options.probability;
    require(p >= 0 && p < 1, "dropout: probability " + std::to_string(p) + "; expected 0 or more and less than 1");
    const RandomKey& key = options.key;
    const DropoutMask mask = {{static_cast<uint32_t>(key.seed), static_cast<uint32_t>(key.seed >> 32)},
                              key.step,
                              key.purpose,
                              static_cast<uint32_t>(std::ceil(p * 16777216.0)),  // word * 2^-24 < p, in whole numbers
                              1.0f / (1.0f - options.probability),
                              add};
    const DropoutBlocks blocks = vectors();
    for_ranges(stream, count, kTaskElements, [&](int64_t begin, int64_t stop) {
        int64_t at = first + begin;
        const int64_t end = first + stop;
        const auto scalar_until = [&](int64_t until) {
            plain(mask, key, at, until, from + (at - first), to + (at - first));
            at = until;
        };
        scalar_until(std::min(end, (at + kBlock - 1) / kBlock * kBlock));
        if (blocks)
            at += kBlock * blocks(mask, static_cast<uint64_t>(at / kBlock), (end - at) / kBlock, from + (at - first), to + (at - first));
        scalar_until(end);
    });
}

}  // namespace vaccine::ops
