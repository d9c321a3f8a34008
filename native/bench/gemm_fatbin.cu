// The matrix product for other programs to load: one kernel of the engine, and two that say how to launch it, so that nobody has to repeat
// what its argument looks like. bench/NativeVaccine.ManagedCuda uses it.
#include "ops/cuda/gemm_bf16.cuh"

namespace vaccine::ops {

template __global__ void gemm_kernel<LargeTile, GemmKind::Forward, bf16>(const Gemm);

}  // namespace vaccine::ops

/// Bytes of the argument, rows and columns of c a block, threads of a block, bytes of dynamic shared memory.
extern "C" __global__ void gemm_facts(int* facts) {
    using Tile = vaccine::ops::LargeTile;
    facts[0] = static_cast<int>(sizeof(vaccine::ops::Gemm));
    facts[1] = Tile::kRows;
    facts[2] = Tile::kColumns;
    facts[3] = Tile::kThreads;
    facts[4] = static_cast<int>(Tile::kSharedBytes);
}

/// The argument for c = a b^T, all bf16, row by row without gaps.
extern "C" __global__ void gemm_arguments(vaccine::ops::Gemm* argument, int M, int N, int K, const void* a, const void* b, void* c) {
    vaccine::ops::Gemm gemm;
    gemm.M = M;
    gemm.N = N;
    gemm.K = K;
    gemm.a = a;
    gemm.b = b;
    gemm.a_row = gemm.b_row = K;
    gemm.c = c;
    gemm.c_row = N;
    *argument = gemm;
}
