#include "ops/cuda_workspace.h"

namespace vaccine::ops {

int64_t workspace_bytes(const Stream&, const WorkspaceNeed& need) {
    return cuda_workspace_bytes(need);
}

}  // namespace vaccine::ops
