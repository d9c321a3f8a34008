using System.CommandLine;
using System.Globalization;
using NativeVaccine.Cli.Experiments;
using NativeVaccine.Cli.Options;
using NativeVaccine.IO;

namespace NativeVaccine.Cli.Commands;

/// <summary>Writes the cells that are not done as commands, for whatever runs commands.</summary>
internal sealed class ExperimentJobsCommand : ExperimentVerb
{
    private readonly Option<string?> file = OptionKinds.Text("--file", "FILE", "where to write them, a command a line");

    public ExperimentJobsCommand(CommandContext context) : base(
        "jobs",
        "Write one command a line, for GNU parallel or anything else: each does a cell that is not done; cells share work through the folder",
        "nvaccine experiment jobs experiments/miniature.json --out runs/miniature --file jobs.txt",
        context)
    {
        Add(Plan);
        Add(Out);
        Add(file);
    }

    /// <inheritdoc/>
    public override IReadOnlyCollection<string> Needed => [Out.Name, file.Name];

    /// <inheritdoc/>
    protected override int Execute(ParseResult parsed)
    {
        string path = parsed.GetValue(file) ?? throw new InputException("nvaccine experiment jobs: expected --file, where to write the commands");
        (Experiment experiment, ExperimentFolder folder) = Prepare(parsed);
        var progress = new ExperimentProgress(experiment, folder);
        string[] lines = [.. experiment.Cells.Index()
            .Where(cell => progress.Of(cell.Item).State != JobState.Done)
            .Select(cell => string.Join(' ', OwnCommand.Words("experiment", "cell", folder.Path, cell.Index.ToString(CultureInfo.InvariantCulture)).Select(ShellWord.Quoted)))];
        AtomicFile.WriteAllText(path, string.Concat(lines.Select(static line => line + "\n")));
        Terminal.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"wrote {lines.Length} commands to {path}; then: nvaccine experiment status {folder.Path}"));
        return ExitCode.Success;
    }
}
