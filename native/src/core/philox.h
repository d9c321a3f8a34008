#pragma once
#include <cstdint>

#ifdef __CUDACC__
#define VACCINE_HOST_DEVICE __host__ __device__
#else
#define VACCINE_HOST_DEVICE
#endif

namespace vaccine {

/// Names one sequence of random numbers. The same key gives the same numbers on every device and in every plan.
/// seed: of the run. step: which optimizer step. purpose: what the numbers are for (see random_purpose).
struct RandomKey {
    uint64_t seed = 0;
    uint32_t step = 0;
    uint32_t purpose = 0;
};

enum class RandomUse : uint32_t { Dropout = 1, SiteNoise = 2, Sampling = 3, Initialization = 4 };

/// Packs what a sequence is for: the use, the pass within the step, the layer and the place in it (a projection, a tensor).
constexpr uint32_t random_purpose(RandomUse use, uint32_t pass, uint32_t layer, uint32_t place) {
    return static_cast<uint32_t>(use) << 28 | (pass & 0xF) << 24 | (layer & 0xFFFF) << 8 | (place & 0xFF);
}

struct RandomBlock {
    uint32_t word[4];
};

/// The keys of Philox's rounds, which one key makes.
struct PhiloxKeys {
    static constexpr int kRounds = 10;
    uint32_t first[kRounds] = {}, second[kRounds] = {};

    PhiloxKeys() = default;
    VACCINE_HOST_DEVICE explicit PhiloxKeys(uint64_t key) {
        for (uint32_t round = 0; round < kRounds; ++round) {
            first[round] = static_cast<uint32_t>(key) + round * 0x9E3779B9u;
            second[round] = static_cast<uint32_t>(key >> 32) + round * 0xBB67AE85u;
        }
    }
};

/// Philox4x32-10 (Salmon et al., Parallel Random Numbers: As Easy as 1, 2, 3; SC 2011).
VACCINE_HOST_DEVICE inline RandomBlock philox(uint32_t c0, uint32_t c1, uint32_t c2, uint32_t c3, const PhiloxKeys& keys) {
    for (int round = 0; round < PhiloxKeys::kRounds; ++round) {
        const uint64_t a = 0xD2511F53ull * c0, b = 0xCD9E8D57ull * c2;
        const uint32_t n0 = static_cast<uint32_t>(b >> 32) ^ c1 ^ keys.first[round];
        const uint32_t n2 = static_cast<uint32_t>(a >> 32) ^ c3 ^ keys.second[round];
        c1 = static_cast<uint32_t>(b);
        c3 = static_cast<uint32_t>(a);
        c0 = n0;
        c2 = n2;
    }
    return {{c0, c1, c2, c3}};
}

/// Block `block` of a sequence: elements 4*block to 4*block+3 take its words in order.
VACCINE_HOST_DEVICE inline RandomBlock random_block(const RandomKey& key, uint64_t block) {
    return philox(static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32), key.step, key.purpose, PhiloxKeys(key.seed));
}

/// [0, 1) with 24 bits, exact in fp32.
VACCINE_HOST_DEVICE inline float random_uniform(uint32_t word) {
    return static_cast<float>(word >> 8) * (1.0f / 16777216.0f);
}

}  // namespace vaccine
