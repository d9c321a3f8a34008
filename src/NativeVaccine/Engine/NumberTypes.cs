using NativeVaccine.Models;

namespace NativeVaccine.Engine;

/// <summary>What a session holds its numbers in.</summary>
/// <param name="Weights">The frozen matrices: Float32 or BFloat16.</param>
/// <param name="Activations">What is computed in between: Float32, or BFloat16 on a GPU; sums are in fp32 either way.</param>
public readonly record struct NumberTypes(ElementType Weights, ElementType Activations)
{
    /// <summary>Everything in fp32.</summary>
    public static NumberTypes Fp32 { get; } = new(ElementType.Float32, ElementType.Float32);

    /// <summary>Everything in bf16, as a GPU computes fastest.</summary>
    public static NumberTypes Bf16 { get; } = new(ElementType.BFloat16, ElementType.BFloat16);
}
