using System.Collections.Immutable;

namespace NativeVaccine.Models;

/// <summary>A tensor that a model of some configuration has.</summary>
/// <param name="Name">Its Hugging Face name.</param>
/// <param name="Shape">Its sizes, outermost first.</param>
public sealed record ExpectedWeight(string Name, ImmutableArray<long> Shape)
{
    /// <summary>The product of <see cref="Shape"/>.</summary>
    public long ElementCount => Shape.Aggregate(1L, static (product, size) => checked(product * size));

    /// <summary>All tensors of a model in the order of computation; a tied head is not among them.</summary>
    public static IEnumerable<ExpectedWeight> Of(ModelConfiguration configuration)
    {
        long hidden = configuration.HiddenSize;
        yield return new(WeightNames.Embedding, [configuration.VocabularySize, hidden]);
        for (int layer = 0; layer < configuration.LayerCount; layer++)
        {
            yield return new(WeightNames.InputNorm(layer), [hidden]);
            foreach (Projection projection in Projections.All)
            {
                if (projection == Projection.Gate) yield return new(WeightNames.PostAttentionNorm(layer), [hidden]);
                (int outputs, int inputs) = configuration.ProjectionShape(projection);
                yield return new(WeightNames.Weight(layer, projection), [outputs, inputs]);
                if (configuration.HasBias(projection)) yield return new(WeightNames.Bias(layer, projection), [outputs]);
            }
        }
        yield return new(WeightNames.FinalNorm, [hidden]);
        if (!configuration.TieWordEmbeddings) yield return new(WeightNames.Head, [configuration.VocabularySize, hidden]);
    }
}
