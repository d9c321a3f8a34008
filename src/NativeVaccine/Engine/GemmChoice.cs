namespace NativeVaccine.Engine;

/// <summary>The GEMM backend of a GPU.</summary>
public enum GemmChoice
{
    /// <summary>The engine's own kernels.</summary>
    Own = 0,

    /// <summary>cuBLAS, which must be installed.</summary>
    Cublas = 1,

    /// <summary>What was measured to be faster: cuBLAS on an H100 or H200 where it is installed, else the engine's own kernels.</summary>
    Auto = 2,
}
