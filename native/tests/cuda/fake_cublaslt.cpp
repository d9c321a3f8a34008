// A cublasLt for tests: the few functions that the engine uses, computed on the host in double. It stands where cuBLAS itself cannot run
// (ptxmachine has no driver underneath).
#include <cublasLt.h>
#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <vector>

#include "core/bf16.h"
#include "ops/cuda/cublaslt.h"

namespace {

// The engine's own declarations.
namespace own = vaccine::ops::cublaslt;
static_assert(own::kSuccess == CUBLAS_STATUS_SUCCESS && own::kAsItIs == CUBLAS_OP_N && own::kTransposed == CUBLAS_OP_T);
static_assert(own::kCompute32F == CUBLAS_COMPUTE_32F);
static_assert(own::kTransposeA == CUBLASLT_MATMUL_DESC_TRANSA && own::kTransposeB == CUBLASLT_MATMUL_DESC_TRANSB);
static_assert(sizeof(own::Status) == sizeof(cublasStatus_t) && sizeof(own::Operation) == sizeof(cublasOperation_t));
static_assert(sizeof(int) == sizeof(cublasComputeType_t) && sizeof(int) == sizeof(cublasLtMatmulDescAttributes_t));

static_assert(own::kMostWorkspace == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES);
static_assert(own::kAlignmentA == CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES &&
              own::kAlignmentB == CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES);
static_assert(own::kAlignmentC == CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES &&
              own::kAlignmentD == CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES);
static_assert(sizeof(own::Algorithm) == sizeof(cublasLtMatmulAlgo_t) && sizeof(own::Found) == sizeof(cublasLtMatmulHeuristicResult_t));
static_assert(offsetof(own::Found, workspace_bytes) == offsetof(cublasLtMatmulHeuristicResult_t, workspaceSize));
static_assert(offsetof(own::Found, state) == offsetof(cublasLtMatmulHeuristicResult_t, state));

/// Every handle that is in use, with the one workspace that it works with; those that nobody gave back are told at the end.
class Handles {
public:
    ~Handles() {
        if (workspaces_.empty()) return;
        std::fprintf(stderr, "fake cublasLt: %zu handles were not destroyed\n", workspaces_.size());
        std::_Exit(1);
    }
    void* add() {
        const std::lock_guard<std::mutex> lock(mutex_);
        void* handle = &names_[used_++ % 64];
        workspaces_[handle] = nullptr;
        return handle;
    }
    bool remove(void* handle) {
        const std::lock_guard<std::mutex> lock(mutex_);
        return workspaces_.erase(handle) == 1;
    }
    /// Whether a handle is in use, with this workspace alone, and no other handle with it.
    bool owns(void* handle, void* workspace) {
        const std::lock_guard<std::mutex> lock(mutex_);
        for (auto& [other, its] : workspaces_)
            if (other != handle && its == workspace) return false;
        const auto at = workspaces_.find(handle);
        if (at == workspaces_.end() || workspace == nullptr) return false;
        if (at->second == nullptr) at->second = workspace;
        return at->second == workspace;
    }

private:
    std::mutex mutex_;
    std::map<void*, void*> workspaces_;
    char names_[64] = {};
    size_t used_ = 0;
};
Handles handles;

struct FakePreference {
    uint64_t workspace = 0;
    uint32_t alignment[4] = {256, 256, 256, 256};  // of a, b, c, d
};

/// What cublasLtMatmulAlgoGetHeuristic puts into its opaque algorithm.
struct FakeAlgorithm {
    uint64_t mark, workspace;
    uint32_t alignment[4];
    static constexpr uint64_t kMark = 0xFA4E;
};
static_assert(sizeof(FakeAlgorithm) <= sizeof(cublasLtMatmulAlgo_t));

struct FakeDescription {
    cublasOperation_t operations[2] = {CUBLAS_OP_N, CUBLAS_OP_N};
};

/// Column by column, as cuBLAS counts.
struct FakeLayout {
    cudaDataType_t type;
    int64_t rows, columns, column_step;

    int64_t size() const { return type == CUDA_R_16BF ? 2 : 4; }
    int64_t bytes() const { return rows == 0 || columns == 0 ? 0 : ((columns - 1) * column_step + rows) * size(); }
};

class Matrix {
public:
    Matrix(const void* device, const FakeLayout& layout) : layout_(layout), bytes_(static_cast<size_t>(layout.bytes())) {
        cudaMemcpy(bytes_.data(), device, bytes_.size(), cudaMemcpyDeviceToHost);
    }
    double at(int64_t row, int64_t column, bool turned) const {
        const int64_t i = turned ? row * layout_.column_step + column : column * layout_.column_step + row;
        if (layout_.type == CUDA_R_16BF) return vaccine::bf16_to_float(reinterpret_cast<const uint16_t*>(bytes_.data())[i]);
        return reinterpret_cast<const float*>(bytes_.data())[i];
    }
    void set(int64_t row, int64_t column, double value) {
        const int64_t i = column * layout_.column_step + row;
        if (layout_.type == CUDA_R_16BF)
            reinterpret_cast<uint16_t*>(bytes_.data())[i] = vaccine::bf16_from_float(static_cast<float>(value));
        else
            reinterpret_cast<float*>(bytes_.data())[i] = static_cast<float>(value);
    }
    void write(void* device) const { cudaMemcpy(device, bytes_.data(), bytes_.size(), cudaMemcpyHostToDevice); }

private:
    FakeLayout layout_;
    std::vector<unsigned char> bytes_;
};

const FakeLayout& layout_of(cublasLtMatrixLayout_t layout) {
    return *reinterpret_cast<const FakeLayout*>(layout);
}

}  // namespace

#define FAKE_API extern "C" __attribute__((visibility("default"))) cublasStatus_t

FAKE_API cublasLtCreate(cublasLtHandle_t* handle) {
    *handle = static_cast<cublasLtHandle_t>(handles.add());
    return CUBLAS_STATUS_SUCCESS;
}
FAKE_API cublasLtDestroy(cublasLtHandle_t handle) {
    return handles.remove(handle) ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_NOT_INITIALIZED;
}
FAKE_API cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* preference) {
    *preference = reinterpret_cast<cublasLtMatmulPreference_t>(new FakePreference);
    return CUBLAS_STATUS_SUCCESS;
}
FAKE_API cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference, cublasLtMatmulPreferenceAttributes_t which,
                                              const void* value, size_t bytes) {
    FakePreference& to = *reinterpret_cast<FakePreference*>(preference);
    if (which == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES && bytes == sizeof to.workspace)
        std::memcpy(&to.workspace, value, bytes);
    else if (which >= own::kAlignmentA && which <= own::kAlignmentD && bytes == sizeof to.alignment[0])
        std::memcpy(&to.alignment[which - own::kAlignmentA], value, bytes);
    else
        return CUBLAS_STATUS_INVALID_VALUE;
    return CUBLAS_STATUS_SUCCESS;
}
FAKE_API cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference) {
    delete reinterpret_cast<FakePreference*>(preference);
    return CUBLAS_STATUS_SUCCESS;
}
FAKE_API cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t, cublasLtMatrixLayout_t, cublasLtMatrixLayout_t,
                                        cublasLtMatrixLayout_t, cublasLtMatrixLayout_t, cublasLtMatmulPreference_t preference, int wanted,
                                        cublasLtMatmulHeuristicResult_t results[], int* found) {
    if (wanted < 1) return CUBLAS_STATUS_INVALID_VALUE;
    const FakePreference& from = *reinterpret_cast<const FakePreference*>(preference);
    FakeAlgorithm algorithm{FakeAlgorithm::kMark, from.workspace, {}};
    std::memcpy(algorithm.alignment, from.alignment, sizeof algorithm.alignment);
    std::memcpy(&results[0].algo, &algorithm, sizeof algorithm);
    results[0].workspaceSize = from.workspace;
    results[0].state = CUBLAS_STATUS_SUCCESS;
    *found = 1;
    return CUBLAS_STATUS_SUCCESS;
}
FAKE_API cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* description, cublasComputeType_t compute, cudaDataType_t scale) {
    if (compute != CUBLAS_COMPUTE_32F || scale != CUDA_R_32F) return CUBLAS_STATUS_NOT_SUPPORTED;
    *description = reinterpret_cast<cublasLtMatmulDesc_t>(new FakeDescription);
    return CUBLAS_STATUS_SUCCESS;
}
FAKE_API cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t description, cublasLtMatmulDescAttributes_t which, const void* value,
                                        size_t bytes) {
    if (bytes != sizeof(cublasOperation_t) || (which != CUBLASLT_MATMUL_DESC_TRANSA && which != CUBLASLT_MATMUL_DESC_TRANSB))
        return CUBLAS_STATUS_INVALID_VALUE;
    reinterpret_cast<FakeDescription*>(description)->operations[which == CUBLASLT_MATMUL_DESC_TRANSB] =
        *static_cast<const cublasOperation_t*>(value);
    return CUBLAS_STATUS_SUCCESS;
}
FAKE_API cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t description) {
    delete reinterpret_cast<FakeDescription*>(description);
    return CUBLAS_STATUS_SUCCESS;
}
FAKE_API cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* layout, cudaDataType_t type, uint64_t rows, uint64_t columns, int64_t step) {
    if (step < static_cast<int64_t>(rows)) return CUBLAS_STATUS_INVALID_VALUE;
    *layout =
        reinterpret_cast<cublasLtMatrixLayout_t>(new FakeLayout{type, static_cast<int64_t>(rows), static_cast<int64_t>(columns), step});
    return CUBLAS_STATUS_SUCCESS;
}
FAKE_API cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) {
    delete reinterpret_cast<FakeLayout*>(layout);
    return CUBLAS_STATUS_SUCCESS;
}
FAKE_API cublasLtMatmul(cublasLtHandle_t handle, cublasLtMatmulDesc_t description, const void* alpha, const void* a,
                        cublasLtMatrixLayout_t a_layout, const void* b, cublasLtMatrixLayout_t b_layout, const void* beta, const void* c,
                        cublasLtMatrixLayout_t c_layout, void* d, cublasLtMatrixLayout_t d_layout, const cublasLtMatmulAlgo_t* algorithm,
                        void* workspace, size_t workspace_bytes, cudaStream_t stream) {
    if (algorithm == nullptr || !handles.owns(handle, workspace)) return CUBLAS_STATUS_INVALID_VALUE;
    FakeAlgorithm chosen;
    std::memcpy(&chosen, algorithm, sizeof chosen);
    if (chosen.mark != FakeAlgorithm::kMark || chosen.workspace == 0 || chosen.workspace > workspace_bytes)
        return CUBLAS_STATUS_INVALID_VALUE;
    const void* const operands[] = {a, b, c, d};
    for (int i = 0; i < 4; ++i)
        if (reinterpret_cast<uintptr_t>(operands[i]) % chosen.alignment[i] != 0) return CUBLAS_STATUS_INVALID_VALUE;
    cudaStreamSynchronize(stream);
    if (cudaMemset(static_cast<char*>(workspace) + chosen.workspace - 1, 1, 1) != cudaSuccess) return CUBLAS_STATUS_EXECUTION_FAILED;
    const auto& operations = reinterpret_cast<FakeDescription*>(description)->operations;
    const bool a_turned = operations[0] == CUBLAS_OP_T, b_turned = operations[1] == CUBLAS_OP_T;
    const FakeLayout &left = layout_of(a_layout), &right = layout_of(b_layout), &out = layout_of(d_layout);
    const int64_t K = a_turned ? left.rows : left.columns;
    if ((b_turned ? right.columns : right.rows) != K || (a_turned ? left.columns : left.rows) != out.rows ||
        (b_turned ? right.rows : right.columns) != out.columns)
        return CUBLAS_STATUS_INVALID_VALUE;
    const float factor = *static_cast<const float*>(alpha), keep = *static_cast<const float*>(beta);
    const Matrix x(a, left), y(b, right), addend(c, layout_of(c_layout));
    Matrix result(d, out);
    for (int64_t column = 0; column < out.columns; ++column)
        for (int64_t row = 0; row < out.rows; ++row) {
            double sum = 0;
            for (int64_t k = 0; k < K; ++k) sum += x.at(row, k, a_turned) * y.at(k, column, b_turned);
            result.set(row, column, factor * sum + (keep == 0 ? 0 : keep * addend.at(row, column, false)));
        }
    result.write(d);
    return CUBLAS_STATUS_SUCCESS;
}
