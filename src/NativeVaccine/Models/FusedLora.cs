namespace NativeVaccine.Models;

/// <summary>
/// LoRA on a module that fuses several projections. There the projections share one A, and B has a block of rows for each. Here each
/// projection has matrices of its own; written again they are one A over the other, and the blocks of B lie along a diagonal: the same sum
/// with as many times the rank and alpha as there are projections, so that alpha / r stays.
/// </summary>
internal static class FusedLora
{
    /// <summary>Takes the matrices of fused modules apart.</summary>
    /// <param name="modules">All modules of an adapter with their matrices.</param>
    /// <param name="model">Whose modules they are.</param>
    /// <returns>One for each projection, and whether projections have copies of one A.</returns>
    public static (List<AdapterModule> Modules, bool SharesA) Split(
        IReadOnlyList<(AdapterTarget Target, LoraMatrices Matrices)> modules, ModelConfiguration model)
    {
        (AdapterTarget Target, LoraMatrices Matrices)[] fused = [.. modules.Where(static module => module.Target.Module.IsFused)];
        // Zeros are as diagonal as any; of an adapter that is not trained yet, the ranks tell.
        bool isTrained = fused.Any(static module => module.Matrices.B.AsSpan().ContainsAnyExcept(0f));
        bool hasRanks = fused.All(static module => module.Target.Rank == module.Target.CommonRank * module.Target.Module.Parts.Length);
        bool isDiagonal = (isTrained || hasRanks) && fused.All(module => IsDiagonal(module.Target.Module, module.Matrices, model));
        HashSet<Projection> unused = isDiagonal ? Unused(fused) : [];
        List<AdapterModule> parts = [];
        foreach ((AdapterTarget target, LoraMatrices whole) in modules)
        {
            int pieces = isDiagonal ? target.Module.Parts.Length : 1;
            int firstRow = 0;
            for (int part = 0; part < target.Module.Parts.Length; part++)
            {
                Projection projection = target.Module.Parts[part];
                int outputs = model.ProjectionShape(projection).Outputs;
                LoraMatrices own = Part(whole, firstRow, outputs, whole.Rank / pieces, isDiagonal ? part : 0);
                firstRow += outputs;
                if (!unused.Contains(projection))
                    parts.Add(new AdapterModule(target.Layer, projection, target.Alpha / pieces, target.Scale, own));
            }
        }
        return (parts, fused.Length > 0 && !isDiagonal);
    }

    /// <summary>The matrices of a module as a PEFT file has them; a projection without any has zeros.</summary>
    /// <param name="module">The module.</param>
    /// <param name="parts">Those of its projections that are adapted, all with one rank.</param>
    /// <param name="model">Gives the rows of the others.</param>
    public static LoraMatrices Join(LinearModule module, IReadOnlyDictionary<Projection, LoraMatrices> parts, ModelConfiguration model)
    {
        if (!module.IsFused) return parts[module.Parts[0]];
        int rank = parts.Values.First().Rank;
        (int outputs, int inputs) = model.ModuleShape(module);
        var whole = new LoraMatrices(rank * module.Parts.Length, outputs, inputs);
        int firstRow = 0;
        for (int part = 0; part < module.Parts.Length; part++)
        {
            if (parts.TryGetValue(module.Parts[part], out LoraMatrices? own))
            {
                own.A.CopyTo(whole.A, part * rank * inputs);
                for (int row = 0; row < own.Outputs; row++)
                    own.B.AsSpan(row * rank, rank).CopyTo(whole.B.AsSpan(((firstRow + row) * whole.Rank) + (part * rank)));
            }
            firstRow += model.ProjectionShape(module.Parts[part]).Outputs;
        }
        return whole;
    }

    private static LoraMatrices Part(LoraMatrices whole, int firstRow, int outputs, int rank, int block)
    {
        if (outputs == whole.Outputs) return whole;
        var part = new LoraMatrices(rank, outputs, whole.Inputs);
        whole.A.AsSpan(block * rank * whole.Inputs, part.A.Length).CopyTo(part.A);
        for (int row = 0; row < outputs; row++)
            whole.B.AsSpan(((firstRow + row) * whole.Rank) + (block * rank), rank).CopyTo(part.B.AsSpan(row * rank));
        return part;
    }

    private static bool IsDiagonal(LinearModule module, LoraMatrices whole, ModelConfiguration model)
    {
        if (whole.Rank % module.Parts.Length != 0) return false;
        int rank = whole.Rank / module.Parts.Length;
        int row = 0;
        for (int part = 0; part < module.Parts.Length; part++)
        {
            for (int end = row + model.ProjectionShape(module.Parts[part]).Outputs; row < end; row++)
            {
                ReadOnlySpan<float> columns = whole.B.AsSpan(row * whole.Rank, whole.Rank);
                bool isClean = !columns[..(part * rank)].ContainsAnyExcept(0f) && !columns[((part + 1) * rank)..].ContainsAnyExcept(0f);
                if (!isClean) return false;
            }
        }
        return true;
    }

    /// <summary>Projections whose rows of A are zero in every layer: what <see cref="Join"/> leaves of those that are not adapted.</summary>
    private static HashSet<Projection> Unused(IReadOnlyList<(AdapterTarget Target, LoraMatrices Matrices)> fused)
    {
        HashSet<Projection> unused = [.. fused.SelectMany(static module => module.Target.Module.Parts)];
        foreach ((AdapterTarget target, LoraMatrices whole) in fused)
        {
            int length = whole.A.Length / target.Module.Parts.Length;
            for (int part = 0; part < target.Module.Parts.Length; part++)
            {
                if (whole.A.AsSpan(part * length, length).ContainsAnyExcept(0f)) unused.Remove(target.Module.Parts[part]);
            }
        }
        return unused;
    }
}
