// Philox4x32-10 on eight blocks at a time: a 64-bit lane holds a 32-bit word, so that products need no shuffling. What the upper half
// of a lane holds does not matter.
#include "ops/cpu/dropout_kernels.h"

#if defined(__AVX512F__) && defined(__AVX512DQ__)
#include <immintrin.h>

namespace vaccine::ops {
namespace {

constexpr int kBlocks = 8;

__m512i xor3(__m512i a, __m512i b, __m512i c) {
    return _mm512_ternarylogic_epi64(a, b, c, 0x96);
}

/// Words of blocks 0 to 3 and of blocks 4 to 7, as they lie in memory.
void random_words(const DropoutMask& mask, uint64_t first, __m512i words[2]) {
    // In this order of blocks the unpacking below leaves them in theirs.
    const __m512i block = _mm512_add_epi64(_mm512_set1_epi64(static_cast<long long>(first)), _mm512_setr_epi64(0, 4, 1, 5, 2, 6, 3, 7));
    const __m512i a = _mm512_set1_epi64(0xD2511F53), b = _mm512_set1_epi64(0xCD9E8D57);
    __m512i c0 = block, c1 = _mm512_srli_epi64(block, 32);
    __m512i c2 = _mm512_set1_epi64(mask.step), c3 = _mm512_set1_epi64(mask.purpose);
    __m512i k0 = _mm512_set1_epi64(mask.key[0]), k1 = _mm512_set1_epi64(mask.key[1]);
    for (int round = 0; round < 10; ++round) {
        const __m512i product_a = _mm512_mul_epu32(c0, a), product_b = _mm512_mul_epu32(c2, b);
        c0 = xor3(_mm512_srli_epi64(product_b, 32), c1, k0);
        c2 = xor3(_mm512_srli_epi64(product_a, 32), c3, k1);
        c1 = product_b;
        c3 = product_a;
        k0 = _mm512_add_epi32(k0, _mm512_set1_epi64(0x9E3779B9));
        k1 = _mm512_add_epi32(k1, _mm512_set1_epi64(0xBB67AE85));
    }
    const __m512i words01 = _mm512_mask_blend_epi32(0xAAAA, c0, _mm512_slli_epi64(c1, 32));
    const __m512i words23 = _mm512_mask_blend_epi32(0xAAAA, c2, _mm512_slli_epi64(c3, 32));
    words[0] = _mm512_unpacklo_epi64(words01, words23);
    words[1] = _mm512_unpackhi_epi64(words01, words23);
}

int64_t run(const DropoutMask& mask, uint64_t first, int64_t blocks, const float* from, float* to) {
    const __m512i threshold = _mm512_set1_epi32(static_cast<int>(mask.threshold));
    const __m512 scale = _mm512_set1_ps(mask.scale);
    int64_t done = 0;
    for (; done + kBlocks <= blocks; done += kBlocks) {
        __m512i words[2];
        random_words(mask, first + static_cast<uint64_t>(done), words);
        for (int half = 0; half < 2; ++half, from += 16, to += 16) {
            const __mmask16 stays = _mm512_cmpge_epi32_mask(_mm512_srli_epi32(words[half], 8), threshold);
            const __m512 value = _mm512_maskz_mul_ps(stays, _mm512_loadu_ps(from), scale);
            _mm512_storeu_ps(to, mask.add ? _mm512_add_ps(_mm512_loadu_ps(to), value) : value);
        }
    }
    return done;
}

}  // namespace

const DropoutBlocks dropout_avx512 = run;

}  // namespace vaccine::ops

#else
const vaccine::ops::DropoutBlocks vaccine::ops::dropout_avx512 = nullptr;
#endif
