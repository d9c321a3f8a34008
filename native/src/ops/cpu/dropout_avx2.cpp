// As dropout_avx512.cpp, on four blocks at a time.
#include "ops/cpu/dropout_kernels.h"

#if defined(__AVX2__)
#include <immintrin.h>

namespace vaccine::ops {
namespace {

constexpr int kBlocks = 4;

/// Words of blocks 0 and 1 and of blocks 2 and 3, as they lie in memory.
void random_words(const DropoutMask& mask, uint64_t first, __m256i words[2]) {
    // In this order of blocks the unpacking below leaves them in theirs.
    const __m256i block = _mm256_add_epi64(_mm256_set1_epi64x(static_cast<long long>(first)), _mm256_setr_epi64x(0, 2, 1, 3));
    const __m256i a = _mm256_set1_epi64x(0xD2511F53), b = _mm256_set1_epi64x(0xCD9E8D57);
    __m256i c0 = block, c1 = _mm256_srli_epi64(block, 32);
    __m256i c2 = _mm256_set1_epi64x(mask.step), c3 = _mm256_set1_epi64x(mask.purpose);
    __m256i k0 = _mm256_set1_epi64x(mask.key[0]), k1 = _mm256_set1_epi64x(mask.key[1]);
    for (int round = 0; round < 10; ++round) {
        const __m256i product_a = _mm256_mul_epu32(c0, a), product_b = _mm256_mul_epu32(c2, b);
        c0 = _mm256_xor_si256(_mm256_xor_si256(_mm256_srli_epi64(product_b, 32), c1), k0);
        c2 = _mm256_xor_si256(_mm256_xor_si256(_mm256_srli_epi64(product_a, 32), c3), k1);
        c1 = product_b;
        c3 = product_a;
        k0 = _mm256_add_epi32(k0, _mm256_set1_epi64x(0x9E3779B9));
        k1 = _mm256_add_epi32(k1, _mm256_set1_epi64x(0xBB67AE85));
    }
    const __m256i words01 = _mm256_blend_epi32(c0, _mm256_slli_epi64(c1, 32), 0xAA);
    const __m256i words23 = _mm256_blend_epi32(c2, _mm256_slli_epi64(c3, 32), 0xAA);
    words[0] = _mm256_unpacklo_epi64(words01, words23);
    words[1] = _mm256_unpackhi_epi64(words01, words23);
}

int64_t run(const DropoutMask& mask, uint64_t first, int64_t blocks, const float* from, float* to) {
    const __m256i below = _mm256_set1_epi32(static_cast<int>(mask.threshold) - 1);  // signed is enough: both are less than 2^24
    const __m256 scale = _mm256_set1_ps(mask.scale);
    int64_t done = 0;
    for (; done + kBlocks <= blocks; done += kBlocks) {
        __m256i words[2];
        random_words(mask, first + static_cast<uint64_t>(done), words);
        for (int half = 0; half < 2; ++half, from += 8, to += 8) {
            const __m256 stays = _mm256_castsi256_ps(_mm256_cmpgt_epi32(_mm256_srli_epi32(words[half], 8), below));
            const __m256 value = _mm256_and_ps(stays, _mm256_mul_ps(_mm256_loadu_ps(from), scale));
            _mm256_storeu_ps(to, mask.add ? _mm256_add_ps(_mm256_loadu_ps(to), value) : value);
        }
    }
    return done;
}

}  // namespace

const DropoutBlocks dropout_avx2 = run;

}  // namespace vaccine::ops

#else
const vaccine::ops::DropoutBlocks vaccine::ops::dropout_avx2 = nullptr;
#endif
