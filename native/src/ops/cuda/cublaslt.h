// What we use of cublasLt (cuBLAS library reference, "Using the cublasLt API"; the same in CUDA 11 to 13), declared here so that the engine
// is built where its headers are not installed. tests/cuda/fake_cublaslt.cpp holds it against NVIDIA's header.
#pragma once
#include <cuda_runtime_api.h>
#include <library_types.h>

#include <cstddef>
#include <cstdint>

namespace vaccine::ops::cublaslt {

using Status = int;     // cublasStatus_t
using Operation = int;  // cublasOperation_t
constexpr Status kSuccess = 0;
constexpr Operation kAsItIs = 0, kTransposed = 1;
constexpr int kCompute32F = 68;                                                                        // cublasComputeType_t
constexpr int kTransposeA = 3, kTransposeB = 4;                                                        // cublasLtMatmulDescAttributes_t
constexpr int kMostWorkspace = 1, kAlignmentA = 5, kAlignmentB = 6, kAlignmentC = 7, kAlignmentD = 8;  // ...MatmulPreferenceAttributes_t

struct Algorithm {  // cublasLtMatmulAlgo_t
    uint64_t data[8];
};
struct Found {  // cublasLtMatmulHeuristicResult_t
    Algorithm algorithm;
    size_t workspace_bytes;
    Status state;
    float waves;
    int reserved[4];
};

// Handles, descriptions, layouts and preferences are pointers to structs that only cublasLt knows.
using Create = Status(void** handle_or_preference);
using Describe = Status(void** description, int compute_type, cudaDataType_t scale_type);
using Set = Status(void* description_or_preference, int attribute, const void* value, size_t bytes);
using LayOut = Status(void** layout, cudaDataType_t type, uint64_t rows, uint64_t columns, int64_t leading);
using Destroy = Status(void* what);
using Find = Status(void* handle, void* description, void* a_layout, void* b_layout, void* c_layout, void* d_layout, void* preference,
                    int wanted, Found* found, int* count);
using Multiply = Status(void* handle, void* description, const void* alpha, const void* a, void* a_layout, const void* b, void* b_layout,
                        const void* beta, const void* c, void* c_layout, void* d, void* d_layout, const Algorithm* algorithm,
                        void* workspace, size_t workspace_bytes, cudaStream_t stream);

}  // namespace vaccine::ops::cublaslt
