using System.CommandLine;
using System.Globalization;
using NativeVaccine.Cli.Experiments;

namespace NativeVaccine.Cli.Commands;

/// <summary>Does one cell of an experiment: what a scheduler starts.</summary>
internal sealed class ExperimentCellCommand : ExperimentVerb
{
    private readonly Argument<int> number = new("N") { Description = "number of the cell, from 0 in the order of the grid" };

    public ExperimentCellCommand(CommandContext context) : base(
        "cell",
        "Do the work that one cell needs and that is not done yet; waits for what another process has in its hands",
        "nvaccine experiment cell runs/miniature 12",
        context)
    {
        Add(Folder);
        Add(number);
    }

    /// <inheritdoc/>
    protected override int Execute(ParseResult parsed)
    {
        (Experiment experiment, ExperimentFolder folder) = Open(parsed);
        int index = parsed.GetRequiredValue(number);
        if ((uint)index >= (uint)experiment.Cells.Count)
        {
            throw new InputException(string.Create(
                CultureInfo.InvariantCulture, $"{folder.Path}: there is no cell {index}: expected 0 to {experiment.Cells.Count - 1}"));
        }
        int broken = WorkOn(experiment, folder).Run([experiment.Cells[index]]);
        return broken == 0 ? ExitCode.Success : ExitCode.Failed;
    }
}
