namespace NativeVaccine.Models;

/// <summary>
/// One adapter in the place of a chain: what several add to a weight one after the other, scale1 * B1 A1 + scale2 * B2 A2 ..., is
/// scale * B A with the B side by side and the A one over the other.
/// </summary>
public static class AdapterSum
{
    /// <summary>
    /// Adds adapters up. All modules get the same rank, which every version of peft reads: where some have less, rows of A and columns of B
    /// are zeros. Only a scale that differs from the most frequent one costs a rounding, when it is multiplied into B.
    /// </summary>
    /// <param name="chain">At least one; each loaded for this model, on top of those before it.</param>
    /// <param name="model">Whose modules they adapt.</param>
    public static Adapter Of(IReadOnlyList<Adapter> chain, ModelConfiguration model)
    {
        ILookup<(int Layer, Projection Projection), AdapterModule> parts =
            chain.SelectMany(static adapter => adapter.Modules).ToLookup(static module => (module.Layer, module.Projection));
        int rank = parts.Max(static module => module.Sum(static part => part.Matrices.Rank));
        double scale = chain.SelectMany(static adapter => adapter.Modules).CountBy(static module => module.Scale).MaxBy(static scale => scale.Value).Key;
        if (!Adapter.IsAlpha(scale * rank)) scale = 1;
        IEnumerable<Projection> targets = parts.Select(static module => module.Key.Projection).Distinct();
        var sum = new Adapter(model, rank, scale * rank, chain[^1].Dropout, targets) { BaseModel = chain[0].BaseModel };
        foreach (AdapterModule module in sum.Modules)
        {
            int first = 0;
            foreach (AdapterModule part in parts[(module.Layer, module.Projection)])
            {
                Put(part.Matrices, module.Matrices, first, part.Scale / module.Scale);
                first += part.Matrices.Rank;
            }
        }
        return sum;
    }

    private static void Put(LoraMatrices part, LoraMatrices whole, int first, double factor)
    {
        part.A.CopyTo(whole.A, first * whole.Inputs);
        for (int row = 0; row < whole.Outputs; row++)
        {
            Span<float> to = whole.B.AsSpan((row * whole.Rank) + first, part.Rank);
            for (int k = 0; k < part.Rank; k++) to[k] = (float)(factor * part.B[(row * part.Rank) + k]);
        }
    }
}
