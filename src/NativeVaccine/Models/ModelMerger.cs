namespace NativeVaccine.Models;

/// <summary>Bakes adapters into a model and writes the result as a model folder of its own.</summary>
public static class ModelMerger
{
    /// <summary>Writes W + scale * B A for every adapted weight, tensor by tensor, with the model's tokenizer files.</summary>
    /// <param name="model">The base.</param>
    /// <param name="adapters">Added in this order; each loaded for this model. None: the model only changes its type.</param>
    /// <param name="folder">A new or empty folder.</param>
    /// <param name="type">What the weights are rounded to, once, after all adapters.</param>
    /// <param name="maximumShardBytes">Weights beyond this go into several files with an index.</param>
    /// <param name="notice">Told in a line each which files were left out, and whether a tokenizer's file was made.</param>
    /// <param name="weights">Gives the base's values; the model itself unless given.</param>
    /// <returns>What rounding left of each adapter's change; none if nothing is rounded.</returns>
    /// <exception cref="InputException">The folder is not empty or cannot be written, or a weight cannot be read.</exception>
    public static IReadOnlyList<KeptChange> Merge(
        ModelFolder model,
        IReadOnlyList<Adapter> adapters,
        string folder,
        ElementType type,
        long maximumShardBytes = ModelWriter.DefaultMaximumShardBytes,
        Action<string>? notice = null,
        IWeightSource? weights = null)
    {
        var merged = new MergedWeights(weights ?? model, adapters);
        IReadOnlyList<KeptChange> kept = merged.MeasureRounding(type);
        ModelWriter.Write(
            folder,
            model.Configuration with { StoredType = type },
            merged,
            temporary => CompanionFiles.Copy(model.Path, temporary, notice),
            maximumShardBytes,
            model.StoredWeights);
        return kept;
    }
}
