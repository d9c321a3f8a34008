using System.CommandLine;
using NativeVaccine.Reporting;

namespace NativeVaccine.Cli.Commands;

/// <summary>Makes the page of a run again.</summary>
internal sealed class ReportCommand : Verb
{
    private readonly Argument<string> run = new("RUN") { Description = "folder of the run, complete or not" };

    public ReportCommand(CommandContext context) : base(
        "report",
        "Write a run's report.html again, from its config.json and metrics.jsonl",
        "nvaccine report ./runs/aligned",
        context) => Add(run);

    /// <inheritdoc/>
    protected override int Execute(ParseResult parsed)
    {
        Terminal.Error.WriteLine($"wrote {RunReport.Write(parsed.GetRequiredValue(run))}");
        return ExitCode.Success;
    }
}
