using System.Globalization;
using System.Text.Json.Nodes;
using NativeVaccine.Cli.Options;
using NativeVaccine.Cli.Output;

namespace NativeVaccine.Cli.Experiments;

/// <summary>Says before the work begins what memory its training takes, and which cells do not fit: what <c>nvaccine plan</c> says of each kind of run.</summary>
/// <param name="experiment">The grid and its jobs.</param>
/// <param name="folder">Its folder.</param>
/// <param name="run">Runs a command line with a terminal; returns its exit code.</param>
internal sealed class ExperimentMemory(Experiment experiment, ExperimentFolder folder, Func<string[], Terminal, int> run)
{
    /// <summary>Options of a training verb that take no memory; without them runs that take the same are one kind.</summary>
    private static readonly string[] TakeNone = ["--seed", "--learning-rate", "--epochs", "--data", "--run", "--init-adapter", "--out"];

    private readonly Dictionary<string, JsonNode?> planned = new(StringComparer.Ordinal);

    /// <summary>A line for what the largest run takes, and one for each kind of run that does not fit, with its cells.</summary>
    public IEnumerable<string> Lines()
    {
        (ExperimentJob Job, JsonNode Plan)[] plans = [.. experiment.Jobs
            .Where(job => job.IsTraining && folder.StatusOf(job.Id).State != JobState.Done)
            .Select(job => (Job: job, Plan: PlanOf(job))).Where(static one => one.Plan is not null).Select(static one => (one.Job, one.Plan!))];
        if (plans.Length == 0) yield break;
        long most = plans.Max(static one => (long)one.Plan["total_bytes"]!);
        yield return $"a training run takes up to {ByteSize.Format(most)}";
        foreach (IGrouping<string, (ExperimentJob Job, JsonNode Plan)> kind in plans.Where(static one => (bool?)one.Plan["fits"] == false).GroupBy(one => KeyOf(one.Job)))
        {
            HashSet<string> ids = [.. kind.Select(static one => one.Job.Id)];
            GridCell[] cells = [.. experiment.Cells.Where(cell => cell.Jobs.Values.Any(ids.Contains))];
            string room = (long?)kind.First().Plan["room"] is { } bytes ? $", and there are {ByteSize.Format(bytes)}" : "";
            yield return string.Create(
                CultureInfo.InvariantCulture,
                $"DOES NOT FIT: {ByteSize.Format((long)kind.First().Plan["total_bytes"]!)} at least{room}: {cells.Length} cells, the first is {cells[0].Title}");
        }
    }

    /// <summary>What <c>nvaccine plan</c> says of a run; null where its model is still to be made, or where it refuses the run, which says so itself.</summary>
    private JsonNode? PlanOf(ExperimentJob job)
    {
        string key = KeyOf(job);
        if (planned.TryGetValue(key, out JsonNode? known)) return known;
        return planned[key] = Ask(job);
    }

    private JsonNode? Ask(ExperimentJob job)
    {
        string[] options = [.. OptionsOf(job)];
        if (!options.Any(static option => option.StartsWith("--model=", StringComparison.Ordinal)) || options.Any(static option => option.Contains(ExperimentJob.Home, StringComparison.Ordinal)))
            return null;
        using var output = new StringWriter();
        int code = run(["plan", .. options, "--json=-"], Terminal.Plain(output, TextWriter.Null));
        return code is ExitCode.Success or ExitCode.Failed && output.ToString() is { Length: > 0 } text ? JsonNode.Parse(text) : null;
    }

    /// <summary>Of an attack with the model that its alignment is of: what is merged into it takes no memory of its own.</summary>
    private IEnumerable<string> OptionsOf(ExperimentJob job)
    {
        IEnumerable<string> own = job.Options.Where(static option => !TakeNone.Contains(option.Split('=')[0]) && !option.StartsWith("--tamper", StringComparison.Ordinal));
        if (job.Options.All(static option => !option.StartsWith("--run=", StringComparison.Ordinal))) return own;
        ExperimentJob? aligned = experiment.Jobs.FirstOrDefault(other => other.Stage == "align" && job.Needs.Contains(other.Id));
        return aligned is null ? own : [.. own, .. aligned.Options.Where(static option => option.StartsWith("--model=", StringComparison.Ordinal))];
    }

    private string KeyOf(ExperimentJob job) => $"{job.Verb[0]} {string.Join(' ', OptionsOf(job).Order(StringComparer.Ordinal))}";
}
