#include <algorithm>

#include "ops/cuda/attention_workspace.h"
#include "ops/cuda/linear_workspace.h"
#include "ops/cuda/reduction_workspace.h"
#include "ops/cuda/sampling_workspace.h"

namespace nv::ops {

int64_t workspace_bytes(const Stream&, const WorkspaceNeed& need) {
    return std::max(
        {reduction_workspace_bytes(), linear_workspace_bytes(need), attention_workspace_bytes(need), sampling_workspace_bytes(need)});
}

}  // namespace nv::ops
