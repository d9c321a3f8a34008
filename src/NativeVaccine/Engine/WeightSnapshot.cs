using NativeVaccine.IO;
using NativeVaccine.Models;

namespace NativeVaccine.Engine;

/// <summary>The weights of a session's model as they were at some moment, in memory.</summary>
public sealed class WeightSnapshot : IWeightSource
{
    private readonly Dictionary<string, float[]> weights;

    internal WeightSnapshot(Dictionary<string, float[]> weights) => this.weights = weights;

    /// <inheritdoc/>
    public void ReadFloat32(string name, Span<float> destination, long firstElement = 0)
    {
        if (!weights.TryGetValue(name, out float[]? values))
            throw new InputException($"the trained model has no tensor {InputText.Quote(name)}");
        values.AsSpan((int)firstElement, destination.Length).CopyTo(destination);
    }
}
