using NativeVaccine.Models;

namespace NativeVaccine.Training;

/// <summary>The adapter that a run continues in place of a fresh one (<c>--init-adapter</c>). Its form, rank, alpha and targets, is the run's.</summary>
public static class InitialAdapter
{
    /// <summary>The same options with the form of the adapter that they name.</summary>
    /// <param name="options">With <see cref="TrainingOptions.InitAdapter"/>, and a model's folder or the name of a published shape.</param>
    /// <exception cref="InputException">A file is missing or broken, or the adapter is not of one form in every layer.</exception>
    public static TrainingOptions TakeForm(TrainingOptions options)
    {
        string model = options.Model!;
        Adapter adapter;
        if (model.StartsWith(RunPlanner.ShapePrefix, StringComparison.Ordinal))
        {
            adapter = Adapter.Load(options.InitAdapter!, ModelConfiguration.Shape(model[RunPlanner.ShapePrefix.Length..]));
        }
        else
        {
            using ModelFolder folder = ModelFolder.Open(model);
            adapter = Adapter.Load(options.InitAdapter!, folder);
        }
        UniformLora form = FormOf(adapter, options);
        return options with { LoraRank = form.Rank, LoraAlpha = form.Alpha, LoraTargets = Names(form.Targets) };
    }

    /// <summary>Refuses an adapter whose form is not that of the run: it goes on as it is.</summary>
    /// <exception cref="InputException">It is of another form; the message names what differs.</exception>
    internal static void RequireForm(Adapter adapter, TrainingOptions options)
    {
        UniformLora form = FormOf(adapter, options);
        bool hasTargets = form.Targets.Order().SequenceEqual(Projections.Parse(options.LoraTargets, "--lora-targets").Order());
        var differences = new List<FormattableString>();
        if (form.Rank != options.LoraRank) differences.Add($"--lora-rank {options.LoraRank} (it has {form.Rank})");
        if ((float)form.Alpha != (float)options.LoraAlpha) differences.Add($"--lora-alpha {options.LoraAlpha} (it has {form.Alpha}{HowStabilized(form)})");
        if (!hasTargets)
            differences.Add($"--lora-targets {string.Join(',', options.LoraTargets)} (it has {string.Join(',', Names(form.Targets))})");
        if (differences.Count == 0) return;
        throw new InputException(
            $"--init-adapter {options.InitAdapter} is of another form than {string.Join(", ", differences.Select(FormattableString.Invariant))}; "
            + "expected its own, which it has where none is given");
    }

    /// <summary>Lines about an adapter that is written otherwise than ours.</summary>
    internal static IEnumerable<string> Notices(Adapter adapter, TrainingOptions options)
    {
        UniformLora form = FormOf(adapter, options);
        if (form.IsRankStabilized)
        {
            yield return FormattableString.Invariant(
                $"--init-adapter {options.InitAdapter}: its scale is alpha / sqrt(r) (use_rslora); the result has the same scale as alpha / r, with alpha {form.Alpha}");
        }
        if (!adapter.SharesA) yield break;
        foreach (LinearModule module in form.Targets.Select(adapter.Model.Family.ModuleOf).Distinct())
        {
            if (!module.IsFused) continue;
            int rank = module.Parts.Length * form.Rank;
            yield return FormattableString.Invariant(
                $"--init-adapter {options.InitAdapter}: its {module.Name} has one A for {module.PartNames}; ")
                + FormattableString.Invariant($"from here on each has its own, and the result has rank {rank} there");
        }
    }

    private static UniformLora FormOf(Adapter adapter, TrainingOptions options) => adapter.RequireUniform($"--init-adapter {options.InitAdapter}");

    private static string HowStabilized(UniformLora form) => form.IsRankStabilized ? ", which is its scale times its rank" : "";

    private static string[] Names(IEnumerable<Projection> targets) => [.. targets.Select(static target => target.HuggingFaceName())];
}
