// The workspace of the CUDA build's operations. It follows from sizes alone, whatever the card, so that a plan for a GPU needs none: every
// build has these rules, and the kernels take their sizes from here.
#pragma once
#include <cstdint>

#include "ops/ops.h"

namespace vaccine::ops {
namespace cuda_workspace {

/// The most partial sums (fp64) of a reduction.
constexpr int64_t kMostPieces = 1024;

// linear: rows of an fp32 dy in bf16, then a panel of an fp32 w in bf16. What one call takes depends on the layer's width only, so that
// sums over rows have one order. 512 rows of a vocabulary of 32000 fill a card; a panel of w may be smaller.
constexpr int64_t kRoundedRowBytes = int64_t{32} << 20, kPanelBytes = int64_t{16} << 20;
constexpr int64_t kLeastRows = 128, kLeastColumns = 64;

/// Rows of logits that are sampled at once, and the type of an element's weight: of probability.
constexpr int64_t kMostSampledRows = 16;
using Amount = uint64_t;

}  // namespace cuda_workspace

/// What workspace_bytes() of the CUDA build gives, on every card.
int64_t cuda_workspace_bytes(const WorkspaceNeed& need);

}  // namespace vaccine::ops
