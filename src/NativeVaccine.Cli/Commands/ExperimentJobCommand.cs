using System.CommandLine;
using NativeVaccine.Cli.Experiments;

namespace NativeVaccine.Cli.Commands;

/// <summary>Does one piece of work of an experiment: what a task of Slurm does.</summary>
internal sealed class ExperimentJobCommand : ExperimentVerb
{
    private readonly Argument<string> id = new("ID") { Description = "the piece of work: a name under jobs in the folder's experiment.json" };

    public ExperimentJobCommand(CommandContext context) : base(
        "job",
        "Do one piece of work unless it is done, and nothing that it needs: what a task of experiment submit does",
        "nvaccine experiment job runs/miniature 1a2b3c4d5e6f",
        context)
    {
        Add(Folder);
        Add(id);
    }

    /// <inheritdoc/>
    protected override int Execute(ParseResult parsed)
    {
        (Experiment experiment, ExperimentFolder folder) = Open(parsed);
        string wanted = parsed.GetRequiredValue(id);
        ExperimentJob job = experiment.Find(wanted)
            ?? throw new InputException($"{folder.Path}: there is no piece of work '{wanted}'; its plan has changed since, or it is another experiment's");
        return WorkOn(experiment, folder).Run(job) ? ExitCode.Success : ExitCode.Failed;
    }
}
