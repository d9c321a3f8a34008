using System.CommandLine;
using System.Diagnostics;
using NativeVaccine.Cli.Experiments;
using NativeVaccine.Cli.Options;
using NativeVaccine.Reporting;

namespace NativeVaccine.Cli.Commands;

/// <summary>Does an experiment, or goes on with it.</summary>
internal sealed class ExperimentRunCommand : ExperimentVerb
{
    private static readonly TimeSpan BetweenTables = TimeSpan.FromSeconds(10);

    private readonly Option<bool> quick = OptionKinds.Switch("--no-estimate", "begin at once, without a measured step of each kind of run for an estimate of the time");

    public ExperimentRunCommand(CommandContext context) : base(
        "run",
        "Do an experiment: align, attack and measure every cell; the same command goes on after anything, and several at once share the work",
        "nvaccine experiment run experiments/miniature.json --out runs/miniature",
        context)
    {
        Add(Plan);
        Add(Out);
        Add(quick);
    }

    /// <inheritdoc/>
    public override IReadOnlyCollection<string> Needed => [Out.Name];

    /// <inheritdoc/>
    protected override int Execute(ParseResult parsed)
    {
        (Experiment experiment, ExperimentFolder folder) = Prepare(parsed);
        var progress = new ExperimentProgress(experiment, folder);
        Terminal.Error.WriteLine(Describe(experiment, progress));
        SayWhatItTakes(experiment, folder, progress, isMeasured: !parsed.GetValue(quick));
        try
        {
            int broken = WorkOn(experiment, folder, CollectNowAndThen(experiment, folder)).Run(experiment.Cells);
            Collect(experiment, folder).Write(Terminal);
            Terminal.Error.WriteLine($"wrote {folder.Inside("results.md")}, .csv, .json and {ExperimentReport.Write(folder.Path)}");
            return broken == 0 ? ExitCode.Success : ExitCode.Failed;
        }
        catch (OperationCanceledException)
        {
            Collect(experiment, folder);
            Terminal.Error.WriteLine("stopped; the same command goes on");
            return ExitCode.Cancelled;
        }
    }

    /// <summary>By a measured step only before the first work: later the work that is done says more.</summary>
    private void SayWhatItTakes(Experiment experiment, ExperimentFolder folder, ExperimentProgress progress, bool isMeasured)
    {
        if (progress.Count(JobState.Waiting) + progress.Count(JobState.Failed) == 0) return;
        var forecast = new ExperimentForecast(experiment, folder, Root(), Run);
        foreach (string line in forecast.Memory()) Terminal.Error.WriteLine(line);
        if (isMeasured && progress.Count(JobState.Done) == 0 && forecast.Time() is { } time) Terminal.Error.WriteLine(time);
    }

    /// <summary>The table of a large grid takes its time: whoever looks on the way sees one that is a few seconds old.</summary>
    private static Action<GridCell> CollectNowAndThen(Experiment experiment, ExperimentFolder folder)
    {
        var last = Stopwatch.StartNew();
        return _ =>
        {
            if (last.Elapsed < BetweenTables) return;
            Collect(experiment, folder);
            last.Restart();
        };
    }
}
