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
constexpr int kCompute32F = 68;                  // cublasComputeType_t
constexpr int kTransposeA = 3, kTransposeB = 4;  // cublasLtMatmulDescAttributes_t

// Handles, descriptions, layouts and algorithms are pointers to structs that only cublasLt knows.
using Create = Status(void** handle);
using Describe = Status(void** description, int compute_type, cudaDataType_t scale_type);
using Set = Status(void* description, int attribute, const void* value, size_t bytes);
using LayOut = Status(void** layout, cudaDataType_t type, uint64_t rows, uint64_t columns, int64_t leading);
using Destroy = Status(void* description_or_layout);
using Multiply = Status(void* handle, void* description, const void* alpha, const void* a, void* a_layout, const void* b, void* b_layout,
                        const void* beta, const void* c, void* c_layout, void* d, void* d_layout, const void* algorithm, void* workspace,
                        size_t workspace_bytes, cudaStream_t stream);

}  // namespace vaccine::ops::cublaslt
