using System.CommandLine;

namespace NativeVaccine.Cli.Commands;

/// <summary>Runs grids of alignments and attacks: the verbs below it say how.</summary>
internal sealed class ExperimentCommand : Command
{
    public ExperimentCommand(CommandContext context) : base(
        "experiment",
        "Compare methods over a grid of attacks, from a plan file to a table with intervals, on one machine or several")
    {
        Add(new ExperimentRunCommand(context));
        Add(new ExperimentStatusCommand(context));
        Add(new ExperimentCellCommand(context));
        Add(new ExperimentSubmitCommand(context));
        Add(new ExperimentJobCommand(context));
        Add(new ExperimentJobsCommand(context));
    }
}
