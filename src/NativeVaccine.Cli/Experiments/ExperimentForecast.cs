using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using NativeVaccine.Cli.Options;
using NativeVaccine.Cli.Output;
using NativeVaccine.Training;

namespace NativeVaccine.Cli.Experiments;

/// <summary>
/// Says before the work begins what it will take: memory, as <c>nvaccine plan</c> says it of each kind of run, which cells do not fit, and the
/// time of the training by a measured step (<c>nvaccine bench step</c>) of each kind. Nothing is said of a model that the experiment itself makes.
/// </summary>
/// <param name="experiment">The grid and its jobs.</param>
/// <param name="folder">Its folder.</param>
/// <param name="root">The program's verbs.</param>
/// <param name="run">Runs a command line with a terminal; returns its exit code.</param>
internal sealed class ExperimentForecast(Experiment experiment, ExperimentFolder folder, RootCommand root, Func<string[], Terminal, int> run)
{
    /// <summary>Options of a training verb that take no memory; runs that differ in no others are of one kind.</summary>
    private static readonly string[] TakeNone = ["--seed", "--learning-rate", "--epochs", "--run", "--init-adapter", "--replay"];

    private sealed record Kind(string[] Options, ExperimentJob[] Jobs, JsonNode Plan)
    {
        public long Bytes => (long)Plan["total_bytes"]!;

        public bool Fits => (bool?)Plan["fits"] != false;

        /// <summary>Whether its data is there; else the plan is for samples as long as they may be.</summary>
        public bool KnowsData => Plan["steps"] is not null;
    }

    private readonly Kind[] kinds = [.. experiment.Jobs
        .Where(job => job.IsTraining && folder.StatusOf(job.Id).State != JobState.Done)
        .GroupBy(job => string.Join('\n', OptionsOf(experiment, job).Order(StringComparer.Ordinal)))
        .Select(group => (Options: group.Key.Split('\n'), Jobs: group.ToArray()))
        .Where(static kind => kind.Options.Any(static option => option.StartsWith("--model=", StringComparison.Ordinal) && !option.Contains(ExperimentJob.Home, StringComparison.Ordinal)))
        .Select(kind => (kind.Options, kind.Jobs, Plan: Ask(run, ["plan", .. kind.Options.Where(static option => !option.Contains(ExperimentJob.Home, StringComparison.Ordinal))])))
        .Where(static kind => kind.Plan is not null)
        .Select(static kind => new Kind(kind.Options, kind.Jobs, kind.Plan!))];

    /// <summary>What the largest run takes, and a line for each kind of run that does not fit, with its cells.</summary>
    public IEnumerable<string> Memory()
    {
        if (kinds.Length == 0) yield break;
        yield return $"a training run takes up to {ByteSize.Format(kinds.Max(static kind => kind.Bytes))}";
        foreach (Kind kind in kinds.Where(static kind => !kind.Fits))
        {
            HashSet<string> ids = [.. kind.Jobs.Select(static job => job.Id)];
            GridCell[] cells = [.. experiment.Cells.Where(cell => experiment.WorkOf(cell).Any(job => ids.Contains(job.Id)))];
            string room = (long?)kind.Plan["room"] is { } bytes ? $", and there are {ByteSize.Format(bytes)}" : "";
            string need = kind.KnowsData ? $"DOES NOT FIT: {ByteSize.Format(kind.Bytes)} at least" : $"MAY NOT FIT: {ByteSize.Format(kind.Bytes)} for the longest samples";
            yield return string.Create(CultureInfo.InvariantCulture, $"{need}{room}: {kind.Jobs[0].Verb[0]} of {cells.Length} cells, the first is {cells[0].Title}");
        }
    }

    /// <summary>The time of all training that is left, by a step of each kind at its longest samples; null where nothing can be measured.</summary>
    public string? Time()
    {
        double seconds = 0;
        bool isKnown = false;
        foreach (Kind kind in kinds.Where(static kind => kind.Fits))
        {
            string shape = kind.Options.First(static option => option.StartsWith("--model=", StringComparison.Ordinal))["--model=".Length..];
            JsonNode? measured = Ask(run, ["bench", "step", $"--shape={shape}", .. kind.Options.Where(OfAStep), "--steps=1", "--warm-up=1"]);
            int?[] steps = [.. kind.Jobs.Select(StepsOf)];
            if (measured is null || steps.Contains(null)) return null;
            seconds += steps.Sum()!.Value * (double)measured["median_seconds"]!;
            isKnown = true;
        }
        return isKnown ? $"training takes up to {ExperimentProgress.Duration(seconds)} on this machine, by a measured step of each kind of run" : null;
    }

    /// <summary>Of an attack with the model that its alignment is of: what is merged into it takes no memory of its own.</summary>
    private static IEnumerable<string> OptionsOf(Experiment experiment, ExperimentJob job)
    {
        bool areLooksMade = job.Options.Any(static option => option.StartsWith($"--tamper-prompts={ExperimentJob.Home}", StringComparison.Ordinal));
        IEnumerable<string> own = job.Options.Where(option =>
            !TakeNone.Contains(option.Split('=')[0]) && !IsMadeData(option) && !(areLooksMade && IsOfLooks(option)));
        if (job.Options.All(static option => !option.StartsWith("--run=", StringComparison.Ordinal))) return own;
        ExperimentJob? aligned = job.Needs.Select(experiment.Find).FirstOrDefault(static need => need!.Stage == "align");
        return aligned is null ? own : [.. own, .. aligned.Options.Where(static option => option.StartsWith("--model=", StringComparison.Ordinal))];
    }

    /// <summary>A file that is still to be made, one for each seed and ratio: its runs are of one kind.</summary>
    private static bool IsMadeData(string option) => option.StartsWith($"--data={ExperimentJob.Home}", StringComparison.Ordinal);

    private static bool IsOfLooks(string option) =>
        option.StartsWith("--tamper-", StringComparison.Ordinal) || option.StartsWith("--track-drift", StringComparison.Ordinal);

    private bool OfAStep(string option)
    {
        Command step = root.Subcommands.Single(static verb => verb.Name == "bench").Subcommands.Single(static verb => verb.Name == "step");
        return step.Options.Any(known => known.Name == option.Split('=')[0]);
    }

    /// <summary>Optimizer steps of a run: of its data where it is there, else of the mixture that is to be made.</summary>
    private int? StepsOf(ExperimentJob job)
    {
        ExperimentJob? mix = job.Needs.Select(experiment.Find).FirstOrDefault(static need => need!.Stage == "mix");
        if (mix is null) return (int?)Ask(run, ["plan", .. job.Options.Where(static option => !option.Contains(ExperimentJob.Home, StringComparison.Ordinal))])?["steps"];
        int Number(ExperimentJob from, string name, int otherwise) =>
            from.ValueOf(name) is { } given ? int.Parse(given, CultureInfo.InvariantCulture) : otherwise;
        TrainingOptions defaults = TrainingDefaults.For(TrainingStage.Finetune, "sft", Preset.Paper);
        int perStep = Number(job, "--batch", defaults.Batch) * Number(job, "--accumulate", defaults.Accumulate);
        return Number(job, "--epochs", defaults.Epochs) * ((Number(mix, "--count", 0) + perStep - 1) / perStep);
    }

    /// <summary>What a verb says as JSON; null where it refuses: the run itself says why.</summary>
    private static JsonNode? Ask(Func<string[], Terminal, int> run, string[] line)
    {
        using var output = new StringWriter();
        int code = run([.. line, "--json=-"], Terminal.Plain(output, TextWriter.Null));
        return code is ExitCode.Success or ExitCode.Failed && output.ToString() is { Length: > 0 } text ? JsonNode.Parse(text) : null;
    }
}
