// What dropout.cpp asks of an instruction set; like gemm_kernels.h it includes nothing that leaves code behind.
#pragma once
#include <cstdint>

namespace vaccine::ops {

struct DropoutMask {
    uint32_t key[2], step, purpose;  // of the Philox sequence
    uint32_t threshold;              // an element stays where the upper 24 bits of its word are no less
    float scale;                     // of those that stay
    bool add;
};

/// Does as many whole vectors as lie in `blocks` blocks of four elements, from block `first` of the sequence; returns the blocks done.
using DropoutBlocks = int64_t (*)(const DropoutMask& mask, uint64_t first, int64_t blocks, const float* from, float* to);

extern const DropoutBlocks dropout_avx2;    // null where the file was not compiled for AVX2
extern const DropoutBlocks dropout_avx512;  // likewise

}  // namespace vaccine::ops
