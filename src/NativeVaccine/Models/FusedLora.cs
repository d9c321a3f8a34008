namespace NativeVaccine.Models;

/// <summary>
/// LoRA on a module that fuses several projections. There the projections share one A, and B has a block of rows for each. Here each
/// projection has matrices of its own; written again they are one A over the other, and the blocks of B lie along a diagonal: the same sum
/// with as many times the rank and alpha as there are projections, so that alpha / r stays. All modules of the file get the rank of the
/// widest one, the rest of their A and B being zeros: peft 0.5 knows no rank_pattern, and llama.cpp's converter takes lora_alpha for all
/// and does not look at alpha_pattern.
/// </summary>
internal static class FusedLora
{
    /// <summary>How many times the rank of a projection the modules have in a file.</summary>
    public static int Blocks(IEnumerable<LinearModule> modules) => modules.Max(static module => module.Parts.Length);

    /// <summary>Takes the matrices of fused modules apart.</summary>
    /// <param name="modules">All modules of an adapter with their matrices.</param>
    /// <param name="model">Whose modules they are.</param>
    /// <returns>One for each projection, and whether projections have copies of one A.</returns>
    public static (List<AdapterModule> Modules, bool SharesA) Split(
        IReadOnlyList<(AdapterTarget Target, LoraMatrices Matrices)> modules, ModelConfiguration model)
    {
        (AdapterTarget Target, LoraMatrices Matrices)[] fused = [.. modules.Where(static module => module.Target.Module.IsFused)];
        int rank = fused.Length == 0 ? 0 : fused.Min(static module => module.Matrices.Rank / module.Target.Module.Parts.Length);
        bool isDiagonal = rank > 0 && IsOurs(fused, rank) && modules.All(module => IsDiagonal(module.Target.Module, module.Matrices, rank, model));
        HashSet<Projection> unused = isDiagonal ? Unused(fused, rank) : [];
        List<AdapterModule> parts = [];
        foreach ((AdapterTarget target, LoraMatrices whole) in modules)
        {
            int ownRank = isDiagonal ? rank : whole.Rank;
            int firstRow = 0;
            for (int part = 0; part < target.Module.Parts.Length; part++)
            {
                Projection projection = target.Module.Parts[part];
                int outputs = model.ProjectionShape(projection).Outputs;
                LoraMatrices own = Part(whole, firstRow, outputs, ownRank, isDiagonal ? part : 0);
                firstRow += outputs;
                if (!unused.Contains(projection))
                    parts.Add(new AdapterModule(target.Layer, projection, target.Alpha / ((double)whole.Rank / ownRank), target.Scale, own));
            }
        }
        return (parts, fused.Length > 0 && !isDiagonal);
    }

    /// <summary>The matrices of a module as a PEFT file has them; a projection without any has zeros.</summary>
    /// <param name="module">The module.</param>
    /// <param name="parts">Those of its projections that are adapted, all with one rank.</param>
    /// <param name="blocks"><see cref="Blocks"/> of the file.</param>
    /// <param name="model">Gives the rows of the others.</param>
    public static LoraMatrices Join(
        LinearModule module, IReadOnlyDictionary<Projection, LoraMatrices> parts, int blocks, ModelConfiguration model)
    {
        if (blocks == 1) return parts[module.Parts[0]];
        int rank = parts.Values.First().Rank;
        (int outputs, int inputs) = model.ModuleShape(module);
        var whole = new LoraMatrices(rank * blocks, outputs, inputs);
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
        if (outputs == whole.Outputs && rank == whole.Rank) return whole;
        var part = new LoraMatrices(rank, outputs, whole.Inputs);
        whole.A.AsSpan(block * rank * whole.Inputs, part.A.Length).CopyTo(part.A);
        for (int row = 0; row < outputs; row++)
            whole.B.AsSpan(((firstRow + row) * whole.Rank) + (block * rank), rank).CopyTo(part.B.AsSpan(row * rank));
        return part;
    }

    /// <summary>
    /// Whether an adapter may be one of <see cref="Join"/>'s. Zeros are as diagonal as any: of one that is not trained yet, rank_pattern
    /// tells, which then names the fused modules without need.
    /// </summary>
    private static bool IsOurs((AdapterTarget Target, LoraMatrices Matrices)[] fused, int rank) =>
        fused.Any(static module => module.Matrices.B.AsSpan().ContainsAnyExcept(0f))
        || fused.All(module => module.Target.RepeatsRank && module.Target.Rank == rank * Blocks(fused.Select(static other => other.Target.Module)));

    private static bool IsDiagonal(LinearModule module, LoraMatrices whole, int rank, ModelConfiguration model)
    {
        if (whole.Rank < rank * module.Parts.Length) return false;
        // What no block of B meets is left empty.
        if (whole.A.AsSpan(rank * module.Parts.Length * whole.Inputs).ContainsAnyExcept(0f)) return false;
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
    private static HashSet<Projection> Unused(IReadOnlyList<(AdapterTarget Target, LoraMatrices Matrices)> fused, int rank)
    {
        HashSet<Projection> unused = [.. fused.SelectMany(static module => module.Target.Module.Parts)];
        foreach ((AdapterTarget target, LoraMatrices whole) in fused)
        {
            int length = rank * whole.Inputs;
            for (int part = 0; part < target.Module.Parts.Length; part++)
            {
                if (whole.A.AsSpan(part * length, length).ContainsAnyExcept(0f)) unused.Remove(target.Module.Parts[part]);
            }
        }
        return unused;
    }
}
