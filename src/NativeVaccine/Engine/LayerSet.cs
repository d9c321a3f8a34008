using System.Collections;

namespace NativeVaccine.Engine;

/// <summary>Some layers (or points of the residual stream), ascending and without repetition. It does not change.</summary>
public sealed class LayerSet : IReadOnlyCollection<int>, IEquatable<LayerSet>
{
    private readonly int[] layers;

    private LayerSet(int[] layers) => this.layers = layers;

    /// <summary>No layer.</summary>
    public static LayerSet Empty { get; } = new([]);

    /// <summary>How many.</summary>
    public int Count => layers.Length;

    /// <summary>The lowest one.</summary>
    /// <exception cref="InvalidOperationException">There is none.</exception>
    public int Lowest => layers.Length > 0 ? layers[0] : throw new InvalidOperationException("an empty set has no lowest layer");

    /// <summary>Layers 0 to <paramref name="count"/> - 1.</summary>
    public static LayerSet All(int count) => new([.. Enumerable.Range(0, count)]);

    /// <summary>These layers, in any order; one given twice counts once.</summary>
    /// <exception cref="ArgumentOutOfRangeException">One is negative.</exception>
    public static LayerSet Of(params IEnumerable<int> layers)
    {
        int[] sorted = [.. layers.Distinct().Order()];
        if (sorted.Length > 0) ArgumentOutOfRangeException.ThrowIfNegative(sorted[0], nameof(layers));
        return new LayerSet(sorted);
    }

    /// <summary>True if the layer is in the set.</summary>
    public bool Contains(int layer) => Array.BinarySearch(layers, layer) >= 0;

    /// <summary>The layers that are in both sets.</summary>
    public LayerSet Intersect(LayerSet other) => new([.. layers.Where(other.Contains)]);

    /// <inheritdoc/>
    public IEnumerator<int> GetEnumerator() => ((IEnumerable<int>)layers).GetEnumerator();

    /// <inheritdoc/>
    IEnumerator IEnumerable.GetEnumerator() => layers.GetEnumerator();

    /// <inheritdoc/>
    public bool Equals(LayerSet? other) => other is not null && layers.AsSpan().SequenceEqual(other.layers);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as LayerSet);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        var hash = default(HashCode);
        foreach (int layer in layers) hash.Add(layer);
        return hash.ToHashCode();
    }

    /// <summary>"0, 3, 7".</summary>
    public override string ToString() => string.Join(", ", layers);

    /// <summary>One byte a layer, 1 for those in the set.</summary>
    internal byte[] Mask(int count)
    {
        byte[] mask = new byte[count];
        foreach (int layer in layers) mask[layer] = 1;
        return mask;
    }
}
