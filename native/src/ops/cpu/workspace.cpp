#include <algorithm>

#include "ops/cpu/attention_workspace.h"
#include "ops/cpu/linear.h"
#include "ops/cpu/pool.h"
#include "ops/cpu/sampling_workspace.h"

namespace vaccine::ops {

int64_t workspace_bytes(const Stream& stream, const WorkspaceNeed& need) {
    const int32_t threads = pool(stream).threads();
    return std::max(
        {linear_workspace_bytes(threads, need), attention_workspace_bytes(threads, need), sampling_workspace_bytes(threads, need)});
}

}  // namespace vaccine::ops
