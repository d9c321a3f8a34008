using System.Globalization;

namespace NativeVaccine.Cli.Experiments;

/// <summary>Pieces of work that Slurm does as one job array: all of one kind, and none needs another of them.</summary>
/// <param name="Wave">How many pieces of work, at most, have to be done one after another up to these: 1 for those that need none.</param>
/// <param name="Kind">What they are: prepare, align, attack or evaluate.</param>
/// <param name="Part">From 1: larger arrays than Slurm takes are split.</param>
/// <param name="Jobs">The task with index i does the i-th.</param>
internal sealed record SlurmArray(int Wave, string Kind, int Part, IReadOnlyList<ExperimentJob> Jobs)
{
    /// <summary>In the order in which a cell needs them.</summary>
    private static readonly string[] Kinds = ["prepare", "align", "attack", "evaluate"];

    /// <summary>The name of its script without <c>.sbatch</c>: wave3-align, or wave3-align-2 for a second part.</summary>
    public string Name => string.Create(CultureInfo.InvariantCulture, $"wave{Wave}-{Kind}{(Part == 1 ? "" : $"-{Part}")}");

    /// <summary>Puts work into arrays, in the order in which they can be submitted: none needs one after it.</summary>
    /// <param name="experiment">The grid and its jobs.</param>
    /// <param name="isWanted">Tells the jobs that are to be done.</param>
    /// <param name="largest">How many tasks an array may have.</param>
    public static SlurmArray[] Of(Experiment experiment, Func<ExperimentJob, bool> isWanted, int largest)
    {
        var waves = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (ExperimentJob job in experiment.Jobs) waves.Add(job.Id, 1 + job.Needs.Select(need => waves[need]).DefaultIfEmpty(0).Max());
        return [.. experiment.Jobs.Where(isWanted)
            .GroupBy(job => (Wave: waves[job.Id], Kind: KindOf(job)))
            .OrderBy(static group => group.Key.Wave).ThenBy(static group => Array.IndexOf(Kinds, group.Key.Kind))
            .SelectMany(group => group.Chunk(largest).Select((jobs, part) => new SlurmArray(group.Key.Wave, group.Key.Kind, part + 1, jobs)))];
    }

    /// <summary>Whether it has work that some of another array needs.</summary>
    public bool IsNeededBy(SlurmArray other)
    {
        HashSet<string> own = [.. Jobs.Select(static job => job.Id)];
        return other.Jobs.SelectMany(static job => job.Needs).Any(own.Contains);
    }

    private static string KindOf(ExperimentJob job) => job.Stage switch
    {
        "world" or "mix" => "prepare",
        "align" or "attack" => job.Stage,
        _ => "evaluate",
    };
}
