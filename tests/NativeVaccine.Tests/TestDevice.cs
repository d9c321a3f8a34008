using NativeVaccine.Engine;
using NativeVaccine.Training;

namespace NativeVaccine.Tests;

/// <summary>
/// Where the engine's tests run: on the CPU, or, as tests/cuda-on-ptxmachine.sh asks by two variables, on a GPU or its stand-in. A process
/// uses one engine, so tests of the CPU engine itself are not for such a run.
/// </summary>
internal static class TestDevice
{
    /// <summary>"cpu" (the default) or "cuda:N".</summary>
    public const string NameVariable = "NATIVEVACCINE_TEST_DEVICE";

    /// <summary>"fp32" (the default) or, on a GPU, "bf16".</summary>
    public const string PrecisionVariable = "NATIVEVACCINE_TEST_PRECISION";

    public static string Name { get; } = Environment.GetEnvironmentVariable(NameVariable) is { Length: > 0 } name ? name : "cpu";

    public static bool IsGpu => Name != "cpu";

    public static bool IsBFloat16 { get; } = Environment.GetEnvironmentVariable(PrecisionVariable) == "bf16";

    /// <summary>For options of a run.</summary>
    public static WeightPrecision Precision => IsBFloat16 ? WeightPrecision.Bf16 : IsGpu ? WeightPrecision.Fp32 : WeightPrecision.Stored;

    /// <summary>For plans.</summary>
    public static NumberTypes Types => IsBFloat16 ? NumberTypes.Bf16 : NumberTypes.Fp32;

    public static Device Open(int threads = 0) => Device.Open(Name, threads);

    /// <summary>A session's options in the precision under test; weights that a test wants in bf16 stay so.</summary>
    public static SessionOptions InPrecision(SessionOptions options) =>
        !IsBFloat16 ? options : options with { WeightType = options.Full ? options.WeightType : Types.Weights, ActivationType = Types.Activations };
}

/// <summary>A test of what only a GPU has; skipped on the CPU.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class CudaFactAttribute : FactAttribute
{
    public CudaFactAttribute()
    {
        if (!TestDevice.IsGpu) Skip = CudaTheoryAttribute.Reason;
    }
}

/// <summary>Cases of what only a GPU has; skipped on the CPU.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class CudaTheoryAttribute : TheoryAttribute
{
    public const string Reason = "needs a GPU or ptxmachine; tests/cuda-on-ptxmachine.sh runs it";

    public CudaTheoryAttribute()
    {
        if (!TestDevice.IsGpu) Skip = Reason;
    }
}
