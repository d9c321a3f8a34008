namespace NativeVaccine.Engine;

/// <summary>Who multiplies matrices on a GPU.</summary>
public enum GemmChoice
{
    /// <summary>The engine's own kernels.</summary>
    Own = 0,

    /// <summary>cuBLAS, which must be installed.</summary>
    Cublas = 1,

    /// <summary>The engine decides for each shape.</summary>
    Auto = 2,
}
