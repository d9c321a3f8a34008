namespace NativeVaccine.Models;

/// <summary>
/// A model's weights with adapters added, in the order given: W + scale1 * B1 A1 + scale2 * B2 A2 ..., computed in fp32 when read.
/// </summary>
public sealed class MergedWeights : IWeightSource
{
    private readonly IWeightSource weights;
    private readonly Dictionary<string, List<(LoraMatrices Matrices, float Scale)>> additions = new(StringComparer.Ordinal);

    /// <summary>Merges adapters that were loaded for this model.</summary>
    public MergedWeights(IWeightSource weights, IEnumerable<Adapter> adapters)
    {
        this.weights = weights;
        foreach (Adapter adapter in adapters)
        {
            foreach (AdapterModule module in adapter.Modules)
            {
                string name = WeightNames.Weight(module.Layer, module.Projection);
                if (!additions.TryGetValue(name, out var list)) additions.Add(name, list = []);
                list.Add((module.Matrices, (float)module.Scale));
            }
        }
    }

    /// <inheritdoc/>
    public void ReadFloat32(string name, Span<float> destination, long firstElement = 0)
    {
        weights.ReadFloat32(name, destination, firstElement);
        if (!additions.TryGetValue(name, out var list)) return;
        foreach ((LoraMatrices matrices, float scale) in list) matrices.AddTo(destination, scale, firstElement);
    }
}
