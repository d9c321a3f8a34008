#include "ops/cuda_workspace.h"

#include <algorithm>

namespace vaccine::ops {
namespace {

using namespace cuda_workspace;

int64_t reduction_bytes() {
    return kMostPieces * static_cast<int64_t>(sizeof(double));
}

/// For any layer up to the width: the pieces of dy and of w are at most so many bytes, and never more than there is.
int64_t linear_bytes(const WorkspaceNeed& need) {
    const int64_t width = need.largest_width, row = width * 2;
    const int64_t rows = std::min(need.tokens * row, std::max(kRoundedRowBytes, kLeastRows * row));
    const int64_t panel = std::min(width * row, std::max(kPanelBytes, kLeastColumns * row));
    return rows + panel;
}

/// The backward pass's lse, head by head and times log2 e.
int64_t attention_bytes(const WorkspaceNeed& need) {
    return need.tokens * need.heads * static_cast<int64_t>(sizeof(float));
}

int64_t sampling_bytes(const WorkspaceNeed& need) {
    return kMostSampledRows * need.largest_width * static_cast<int64_t>(sizeof(Amount));
}

}  // namespace

int64_t cuda_workspace_bytes(const WorkspaceNeed& need) {
    return std::max({reduction_bytes(), linear_bytes(need), attention_bytes(need), sampling_bytes(need)});
}

}  // namespace vaccine::ops
