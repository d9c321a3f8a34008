using System.Collections.Immutable;

namespace NativeVaccine.Models;

/// <summary>A weight of a model of some configuration.</summary>
/// <param name="Name">Its Hugging Face name.</param>
/// <param name="Shape">Its sizes, outermost first.</param>
public sealed record ExpectedWeight(string Name, ImmutableArray<long> Shape)
{
    /// <summary>The product of <see cref="Shape"/>.</summary>
    public long ElementCount => Shape.Aggregate(1L, static (product, size) => checked(product * size));

    /// <summary>The tensor of the model's files that it is, or that it is a part of.</summary>
    public string StoredName { get; init; } = Name;

    /// <summary>All weights of a model in the order of computation; a tied head is not among them.</summary>
    public static IEnumerable<ExpectedWeight> Of(ModelConfiguration configuration)
    {
        long hidden = configuration.HiddenSize;
        yield return new(WeightNames.Embedding, [configuration.VocabularySize, hidden]);
        for (int layer = 0; layer < configuration.LayerCount; layer++)
        {
            foreach (ExpectedWeight weight in OfLayer(configuration, layer)) yield return weight;
        }
        yield return new(WeightNames.FinalNorm, [hidden]);
        if (!configuration.TieWordEmbeddings) yield return new(WeightNames.Head, [configuration.VocabularySize, hidden]);
    }

    private static IEnumerable<ExpectedWeight> OfLayer(ModelConfiguration configuration, int layer)
    {
        ModelFamily family = configuration.Family;
        ImmutableArray<long> norm = [configuration.HiddenSize];
        yield return new(WeightNames.InputNorm(layer), norm);
        foreach (LinearModule module in family.Modules)
        {
            if (module.Parts.Contains(Projection.Gate))
            {
                if (family.HasBlockOutputNorms) yield return new(WeightNames.AttentionOutputNorm(layer), norm);
                yield return new(WeightNames.MlpNorm(family, layer), norm);
            }
            string path = WeightNames.Module(layer, module);
            foreach (Projection projection in module.Parts)
            {
                (int outputs, int inputs) = configuration.ProjectionShape(projection);
                yield return new(WeightNames.Weight(layer, projection), [outputs, inputs]) { StoredName = $"{path}.weight" };
                if (configuration.HasBias(projection))
                    yield return new(WeightNames.Bias(layer, projection), [outputs]) { StoredName = $"{path}.bias" };
            }
            if (!module.Parts.Contains(Projection.Value) || !family.HasQueryKeyNorms) continue;
            yield return new(WeightNames.QueryNorm(layer), [configuration.HeadSize]);
            yield return new(WeightNames.KeyNorm(layer), [configuration.HeadSize]);
        }
        if (family.HasBlockOutputNorms) yield return new(WeightNames.MlpOutputNorm(layer), norm);
    }
}
