using System.CommandLine;
using System.Globalization;
using NativeVaccine.Cli.Experiments;
using NativeVaccine.Cli.Options;
using NativeVaccine.Cli.Output;
using NativeVaccine.Reporting;

namespace NativeVaccine.Cli.Commands;

/// <summary>A verb that works on an experiment's folder.</summary>
internal abstract class ExperimentVerb(string name, string description, string example, CommandContext context)
    : Verb(name, description, example, context)
{
    private readonly CommandContext context = context;

    /// <summary>The plan file.</summary>
    protected Argument<string> Plan { get; } = new("PLAN") { Description = "JSON file with arms, axes and the options of each stage (docs/experiments.md)" };

    /// <summary>The folder of an experiment that was begun.</summary>
    protected Argument<string> Folder { get; } = new("DIR") { Description = "folder of the experiment" };

    /// <summary>Where everything goes.</summary>
    protected Option<string?> Out { get; } = OptionKinds.Text("--out", "DIR", "folder of the experiment, new or begun before: what is done there is not done again");

    /// <summary>The experiment of a plan, in its folder.</summary>
    protected (Experiment Experiment, ExperimentFolder Folder) Prepare(ParseResult parsed)
    {
        ExperimentPlan plan = ExperimentPlan.Read(parsed.GetRequiredValue(Plan));
        string output = parsed.GetValue(Out) ?? throw new InputException($"{ParseErrors.NameOf(parsed)}: expected --out, the folder of the experiment");
        var folder = new ExperimentFolder(Path.GetFullPath(output));
        folder.Create();
        var hashes = new ContentHash(folder.Hashes);
        Experiment experiment = ExperimentGrid.Make(plan, Root(), hashes);
        hashes.Save();
        experiment.Save(folder.Path);
        return (experiment, folder);
    }

    /// <summary>The experiment of a folder.</summary>
    protected (Experiment Experiment, ExperimentFolder Folder) Open(ParseResult parsed)
    {
        var folder = new ExperimentFolder(Path.GetFullPath(parsed.GetRequiredValue(Folder)));
        return (Experiment.Read(folder.Path), folder);
    }

    /// <summary>Does the work of some cells in this process.</summary>
    protected ExperimentWork WorkOn(Experiment experiment, ExperimentFolder folder, Action<GridCell>? cellEnded = null)
    {
        Saving = "the step that runs is finished and kept";
        return new ExperimentWork(experiment, folder, new JobRunner(folder, RunUntil), Terminal, Cancellation) { CellEnded = cellEnded };
    }

    /// <summary>The program's verbs.</summary>
    protected RootCommand Root() => Application.CreateRoot(context);

    /// <summary>Runs another command line of this program in this process.</summary>
    protected int Run(string[] line, Terminal terminal) => Run(line, terminal, context.Interruption);

    private int RunUntil(string[] line, Terminal terminal, CancellationToken end)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(Cancellation, end);
        using Interruption interruption = Interruption.By(either.Token);
        return Run(line, terminal, interruption);
    }

    private int Run(string[] line, Terminal terminal, Interruption interruption) => new Application(terminal, interruption) { Demo = context.Demo }.Run(line);

    /// <summary>Collects what is there and writes the table's files.</summary>
    protected static TableFiles Collect(Experiment experiment, ExperimentFolder folder)
    {
        ExperimentResults results = ExperimentTable.Collect(experiment, folder);
        var table = new TableFiles(results);
        table.Save(folder);
        return table;
    }

    /// <summary>What there is to do, in a line.</summary>
    protected static string Describe(Experiment experiment, ExperimentProgress progress)
    {
        int done = progress.Count(JobState.Done);
        string left = progress.Left() is { } time ? $", about {time} left" : "";
        string failed = progress.Count(JobState.Failed) is > 0 and var count ? string.Create(CultureInfo.InvariantCulture, $", {count} failed") : "";
        int runs = experiment.Jobs.Count(static job => job.IsTraining);
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{experiment.Name}: {experiment.Cells.Count} cells, {experiment.Jobs.Count} pieces of work ({runs} of them training); {done} done{failed}{left}");
    }
}
