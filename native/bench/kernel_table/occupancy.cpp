#include "occupancy.h"

#include <cuda_occupancy.h>

#include <climits>
#include <stdexcept>
#include <string>

namespace vaccine::kernels {

namespace {

constexpr int kWarp = 32, kRegisters = 64 * 1024;
constexpr size_t kKiB = 1024;

/// The limits of compute capability 8.6, 8.9 and 9.0, from the CUDA programming guide's table of technical specifications.
cudaOccDeviceProp device(int architecture) {
    const bool hopper = architecture >= 90;
    cudaOccDeviceProp device;
    device.computeMajor = architecture / 10;
    device.computeMinor = architecture % 10;
    device.maxThreadsPerBlock = 1024;
    device.maxThreadsPerMultiprocessor = hopper ? 2048 : 1536;
    device.regsPerBlock = kRegisters;
    device.regsPerMultiprocessor = kRegisters;
    device.warpSize = kWarp;
    device.sharedMemPerBlock = 48 * kKiB;
    device.sharedMemPerMultiprocessor = (hopper ? 228 : 100) * kKiB;
    device.sharedMemPerBlockOptin = (hopper ? 227 : 99) * kKiB;
    device.reservedSharedMemPerBlock = 1 * kKiB;
    device.numSms = 1;
    return device;
}

}  // namespace

Occupancy occupancy(int architecture, int threads, int registers, int static_shared_bytes, int dynamic_shared_bytes) {
    const cudaOccDeviceProp properties = device(architecture);
    cudaOccFuncAttributes function;
    function.maxThreadsPerBlock = INT_MAX;
    function.numRegs = registers;
    function.sharedSizeBytes = static_cast<size_t>(static_shared_bytes);
    function.partitionedGCConfig = PARTITIONED_GC_OFF;
    function.shmemLimitConfig = FUNC_SHMEM_LIMIT_OPTIN;
    function.maxDynamicSharedSizeBytes = properties.sharedMemPerBlockOptin - function.sharedSizeBytes;
    function.numBlockBarriers = 1;
    const cudaOccDeviceState state;
    cudaOccResult result;
    const cudaOccError error = cudaOccMaxActiveBlocksPerMultiprocessor(&result, &properties, &function, &state, threads,
                                                                       static_cast<size_t>(dynamic_shared_bytes));
    if (error != CUDA_OCC_SUCCESS) throw std::runtime_error("cuda_occupancy.h: error " + std::to_string(static_cast<int>(error)));
    const int warps = (threads + kWarp - 1) / kWarp;
    return {result.activeBlocksPerMultiprocessor * warps, properties.maxThreadsPerMultiprocessor / kWarp};
}

}  // namespace vaccine::kernels
