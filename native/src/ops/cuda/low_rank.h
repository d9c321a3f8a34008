// The adapter's own products in bf16 on tensor cores. One side has a rank's few rows, so each reads the activations once, straight into
// registers, and that bounds it. Any rank; activations are 16-byte aligned and their width is a multiple of 8. fp32 sides are
// two terms of bf16, a product each: one term would lose a short step in a parameter. The order of every sum depends on its length only.
#pragma once
#include "core/view.h"
#include "ops/cuda/dropout.h"

namespace vaccine::ops {

/// c (T, rank) fp32 = alpha * mask(x) right, summed over the columns of x (T, K) bf16. right: fp32 (rank, K) where `right_rows`, 16-byte
/// aligned, else (K, rank). What the mask keeps is not scaled.
void project_rows(const char* op, const Stream& stream, const View& x, const DropoutMask& mask, const View& right, bool right_rows,
                  float alpha, float* c);

/// c fp32 += alpha * left^T mask(x), summed over rows: left (T, rank) fp32, x (T, N) bf16; c (rank, N), or (N, rank) where `transposed`.
void outer_product(const char* op, const Stream& stream, const View& left, const View& x, const DropoutMask& mask, float alpha, float* c,
                   bool transposed);

}  // namespace vaccine::ops
