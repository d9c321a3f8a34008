using System.Text;
using System.Text.RegularExpressions;
using ManagedCuda;
using ManagedCuda.BasicTypes;
using ManagedCuda.VectorTypes;

namespace NativeVaccine.ManagedCudaComparison;

/// <summary>
/// The engine's matrix product c = a b^T in bf16, out of gemm.fatbin (the CMake target gemm_fatbin). What the kernel's argument looks like
/// is not repeated here: a kernel beside it, gemm_arguments, fills one in, and gemm_facts says how it is launched.
/// </summary>
internal sealed partial class GemmKernel : IDisposable
{
    private readonly CudaContext context;
    private readonly CUmodule module;
    private readonly CudaKernel gemm;
    private readonly CudaKernel arguments;
    private readonly int rows;
    private readonly int columns;
    private readonly int argumentBytes;

    /// <summary>Loads the kernel.</summary>
    /// <param name="context">Current.</param>
    /// <param name="fatBinary">The file's bytes.</param>
    public GemmKernel(CudaContext context, byte[] fatBinary)
    {
        this.context = context;
        module = context.LoadModuleFatBin(fatBinary);
        arguments = new CudaKernel("gemm_arguments", module);
        using var facts = new CudaDeviceVariable<int>(5);
        new CudaKernel("gemm_facts", module).Run(facts.DevicePointer);
        int[] values = facts;
        (argumentBytes, rows, columns) = (values[0], values[1], values[2]);
        gemm = new CudaKernel(NameIn(fatBinary), module)
        {
            BlockDimensions = new dim3(values[3]),
            DynamicSharedMemory = (uint)values[4],
            MaxDynamicSharedSizeBytes = values[4],
        };
    }

    /// <summary>c = a b^T, with a (M, K), b (N, K) and c (M, N) row by row.</summary>
    /// <returns>Milliseconds on the GPU.</returns>
    public float Run(int m, int n, int k, CUdeviceptr a, CUdeviceptr b, CUdeviceptr c)
    {
        using var filled = new CudaDeviceVariable<byte>(argumentBytes);
        arguments.Run(filled.DevicePointer, m, n, k, a, b, c);
        byte[] argument = filled;
        gemm.GridDimensions = new dim3(((m - 1) / rows) + 1, ((n - 1) / columns) + 1);
        return gemm.Run(argument); // an array is pinned and its first element's address passed: the bytes are the struct
    }

    /// <inheritdoc/>
    public void Dispose() => context.UnloadModule(module);

    /// <summary>The kernel is a template: its name is the compiler's, and the PTX in the file, which is not compressed, has it.</summary>
    private static string NameIn(byte[] fatBinary)
    {
        Match match = Entry().Match(Encoding.Latin1.GetString(fatBinary));
        return match.Success ? match.Groups[1].Value : throw new InvalidDataException("no gemm_kernel in the fat binary");
    }

    [GeneratedRegex(@"\.entry\s+(\w*gemm_kernel\w*)")]
    private static partial Regex Entry();
}
