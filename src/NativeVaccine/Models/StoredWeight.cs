using System.Collections.Immutable;

namespace NativeVaccine.Models;

/// <summary>A tensor of a model's files: a weight, or several fused into one, whose rows lie one after the other.</summary>
/// <param name="Name">Its name in the files.</param>
/// <param name="Parts">The weights that it holds.</param>
public sealed record StoredWeight(string Name, ImmutableArray<ExpectedWeight> Parts)
{
    /// <summary>Its sizes, outermost first.</summary>
    public ImmutableArray<long> Shape => [Parts.Sum(static part => part.Shape[0]), .. Parts[0].Shape.AsSpan(1..)];

    /// <summary>The product of <see cref="Shape"/>.</summary>
    public long ElementCount => Parts.Sum(static part => part.ElementCount);

    /// <summary>All tensors of a model's files, under the names that transformers gives them.</summary>
    public static IEnumerable<StoredWeight> Of(ModelConfiguration configuration) => ExpectedWeight.Of(configuration)
        .GroupBy(static weight => weight.StoredName, StringComparer.Ordinal)
        .Select(static parts => new StoredWeight(parts.Key, [.. parts]));

    /// <summary>Reads a run of elements, in row-major order, from a source that knows the weights by themselves.</summary>
    /// <param name="weights">The source.</param>
    /// <param name="destination">Filled whole.</param>
    /// <param name="firstElement">Index of the first element to read.</param>
    /// <exception cref="InputException">A weight is missing or cannot be read.</exception>
    public void Read(IWeightSource weights, Span<float> destination, long firstElement = 0)
    {
        foreach (ExpectedWeight part in Parts)
        {
            int count = (int)Math.Clamp(part.ElementCount - firstElement, 0, destination.Length);
            if (count > 0) weights.ReadFloat32(part.Name, destination[..count], firstElement);
            destination = destination[count..];
            firstElement = Math.Max(0, firstElement - part.ElementCount);
        }
    }
}
