using System.CommandLine;
using System.Diagnostics;
using NativeVaccine.Cli.Experiments;

namespace NativeVaccine.Cli.Commands;

/// <summary>Does an experiment, or goes on with it.</summary>
internal sealed class ExperimentRunCommand : ExperimentVerb
{
    private static readonly TimeSpan BetweenTables = TimeSpan.FromSeconds(10);

    public ExperimentRunCommand(CommandContext context) : base(
        "run",
        "Do an experiment: align, attack and measure every cell; the same command goes on after anything, and several at once share the work",
        "nvaccine experiment run experiments/miniature.json --out runs/miniature",
        context)
    {
        Add(Plan);
        Add(Out);
    }

    /// <inheritdoc/>
    public override IReadOnlyCollection<string> Needed => [Out.Name];

    /// <inheritdoc/>
    protected override int Execute(ParseResult parsed)
    {
        (Experiment experiment, ExperimentFolder folder) = Prepare(parsed);
        Terminal.Error.WriteLine(Describe(experiment, folder));
        foreach (string line in new ExperimentMemory(experiment, folder, Run).Lines()) Terminal.Error.WriteLine(line);
        Saving = "the step that runs is finished and kept";
        try
        {
            int broken = WorkOn(experiment, folder, CollectNowAndThen(experiment, folder)).Run(experiment.Cells);
            Collect(experiment, folder).Write(Terminal);
            Terminal.Error.WriteLine($"wrote {folder.Inside("results.md")}, .csv and .json");
            return broken == 0 ? ExitCode.Success : ExitCode.Failed;
        }
        catch (OperationCanceledException)
        {
            Collect(experiment, folder);
            Terminal.Error.WriteLine("stopped; the same command goes on");
            return ExitCode.Cancelled;
        }
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
