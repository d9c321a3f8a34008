using NativeVaccine.Numerics;

namespace NativeVaccine.Models;

/// <summary>
/// PiSSA (arXiv 2404.02948): training begins with the r largest singular parts of W as scale * B0 A0, and the base keeps the rest. So what
/// belongs to trained A and B is W - scale * B0 A0 + scale * B A, which is plain LoRA of rank 2r with B beside B0 and A over -A0: what peft
/// writes, too, when it is asked to convert.
/// </summary>
internal static class Pissa
{
    /// <summary>Makes a plain adapter of one whose matrices belong to what PiSSA leaves of the weights.</summary>
    /// <param name="adapter">As it was read.</param>
    /// <param name="weights">What it stands on; null if not at hand.</param>
    /// <exception cref="InputException">The weights are not at hand or cannot be read, or are too small for the rank.</exception>
    public static Adapter ToPlain(Adapter adapter, IWeightSource? weights)
    {
        if (weights is null)
            throw new InputException($"{adapter.Source}: is of PiSSA, which takes parts of the weights; expected a model with weights");
        return new Adapter(adapter.Model, adapter.Dropout, [.. adapter.Modules.Select(module => ToPlain(module, adapter.Source, weights))])
        {
            BaseModel = adapter.BaseModel,
            Source = adapter.Source,
            Notices = adapter.Notices,
        };
    }

    private static AdapterModule ToPlain(AdapterModule module, string? source, IWeightSource weights)
    {
        LoraMatrices trained = module.Matrices;
        (int rank, int outputs, int inputs) = (trained.Rank, trained.Outputs, trained.Inputs);
        string name = WeightNames.Weight(module.Layer, module.Projection);
        if (rank > Math.Min(outputs, inputs))
        {
            throw new InputException(FormattableString.Invariant(
                $"{source}: is of PiSSA and has rank {rank}; expected at most {Math.Min(outputs, inputs)}, as {name} has no more singular values"));
        }
        float[] weight = new float[(long)outputs * inputs];
        weights.ReadFloat32(name, weight);
        var parts = LeadingSingularParts.Of(weight, outputs, inputs, rank);
        var plain = new LoraMatrices(2 * rank, outputs, inputs);
        trained.A.CopyTo(plain.A, 0);
        for (int row = 0; row < outputs; row++) trained.B.AsSpan(row * rank, rank).CopyTo(plain.B.AsSpan(row * 2 * rank));
        for (int k = 0; k < rank; k++)
        {
            double factor = Math.Sqrt(parts.Values[k] / module.Scale);
            for (int i = 0; i < inputs; i++) plain.A[((rank + k) * inputs) + i] = (float)(-factor * parts.Right[k][i]);
            for (int i = 0; i < outputs; i++) plain.B[(i * 2 * rank) + rank + k] = (float)(factor * parts.Left[k][i]);
        }
        // The scale stays: alpha / r, or alpha / sqrt(r).
        bool isRankStabilized = module.Scale != module.Alpha / rank;
        return module with { Alpha = module.Alpha * (isRankStabilized ? Math.Sqrt(2) : 2), Matrices = plain };
    }
}
