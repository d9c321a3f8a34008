using System.CommandLine;
using System.Text.Json.Nodes;
using NativeVaccine.Cli.Experiments;
using NativeVaccine.Cli.Options;
using NativeVaccine.Reporting;

namespace NativeVaccine.Cli.Commands;

/// <summary>Says how far an experiment is, while others work on it or after.</summary>
internal sealed class ExperimentStatusCommand : ExperimentVerb
{
    private readonly Option<string?> json = OptionKinds.JsonOutput();

    public ExperimentStatusCommand(CommandContext context) : base(
        "status", "How far an experiment is: cells done, running, failed and waiting, the time left, and the table so far", "nvaccine experiment status runs/miniature", context)
    {
        Add(Folder);
        Add(json);
    }

    /// <inheritdoc/>
    protected override int Execute(ParseResult parsed)
    {
        (Experiment experiment, ExperimentFolder folder) = Open(parsed);
        var progress = new ExperimentProgress(experiment, folder);
        (GridCell Cell, JobState State, string? Detail)[] cells = [.. experiment.Cells.Select(cell =>
        {
            (JobState state, string? detail) = progress.Of(cell);
            return (cell, state, detail);
        })];
        TableFiles table = Collect(experiment, folder);
        var result = new JsonObject
        {
            ["cells"] = cells.Length,
            ["left"] = progress.Left(),
            ["results"] = folder.Inside(ExperimentResults.FileName),
        };
        foreach (JobState state in Enum.GetValues<JobState>()) result[state.ToString().ToLowerInvariant()] = cells.Count(cell => cell.State == state);
        WriteJsonOr(parsed.GetValue(json), result, () =>
        {
            Terminal.WriteText(Describe(experiment, progress));
            foreach ((GridCell cell, JobState state, string? detail) in cells.Where(static cell => cell.State is JobState.Running or JobState.Failed))
                Terminal.WriteText($"{state.ToString().ToLowerInvariant()}: {cell.Title}: {detail}");
            table.Write(Terminal);
        });
        return ExitCode.Success;
    }
}
