using System.Buffers;

namespace NativeVaccine.Models;

/// <summary>
/// A model's weights with adapters added, in the order given: W + scale1 * B1 A1 + scale2 * B2 A2 ..., computed in fp32 when read.
/// </summary>
public sealed class MergedWeights : IWeightSource
{
    private readonly IWeightSource weights;
    private readonly List<Adapter> adapters;
    private readonly Dictionary<string, List<Addition>> additions = new(StringComparer.Ordinal);
    private KeptChange[]? kept;

    /// <summary>Merges adapters that were loaded for this model.</summary>
    public MergedWeights(IWeightSource weights, IEnumerable<Adapter> adapters)
    {
        (this.weights, this.adapters) = (weights, [.. adapters]);
        for (int i = 0; i < this.adapters.Count; i++)
        {
            foreach (AdapterModule module in this.adapters[i].Modules)
            {
                string name = WeightNames.Weight(module.Layer, module.Projection);
                if (!additions.TryGetValue(name, out List<Addition>? list)) additions.Add(name, list = []);
                list.Add(new Addition(i, module.Matrices, (float)module.Scale));
            }
        }
    }

    /// <summary>
    /// From now on compares what is read with what it becomes when it is rounded, adapter by adapter. It needs memory for a few thousand
    /// elements.
    /// </summary>
    /// <param name="type">What the reader rounds to.</param>
    /// <returns>One for each adapter, complete when all weights were read; none if nothing is rounded.</returns>
    public IReadOnlyList<KeptChange> MeasureRounding(ElementType type)
    {
        if (type == ElementType.Float32) return [];
        kept = [.. adapters.Select((adapter, i) => new KeptChange(adapter.Source ?? $"adapter {i + 1}", type))];
        return kept;
    }

    /// <inheritdoc/>
    public void ReadFloat32(string name, Span<float> destination, long firstElement = 0)
    {
        weights.ReadFloat32(name, destination, firstElement);
        if (!additions.TryGetValue(name, out List<Addition>? list)) return;
        if (kept is not null) AddMeasured(name, list, destination, firstElement);
        else foreach (Addition addition in list) addition.Matrices.AddTo(destination, addition.Scale, firstElement);
    }

    /// <inheritdoc/>
    public bool TryReadBFloat16(string name, Span<ushort> destination, long firstElement = 0) =>
        !additions.ContainsKey(name) && weights.TryReadBFloat16(name, destination, firstElement);

    private void AddMeasured(string name, List<Addition> list, Span<float> destination, long firstElement)
    {
        int count = destination.Length;
        float[][] before = [.. list.Select(_ => ArrayPool<float>.Shared.Rent(count))];
        for (int a = 0; a < list.Count; a++)
        {
            destination.CopyTo(before[a]);
            list[a].Matrices.AddTo(destination, list[a].Scale, firstElement);
        }
        for (int a = 0; a < list.Count; a++)
        {
            ReadOnlySpan<float> after = a + 1 < list.Count ? before[a + 1].AsSpan(0, count) : destination;
            kept![list[a].Adapter].Add(name, before[a].AsSpan(0, count), after, destination);
        }
        foreach (float[] values in before) ArrayPool<float>.Shared.Return(values);
    }

    private readonly record struct Addition(int Adapter, LoraMatrices Matrices, float Scale);
}
