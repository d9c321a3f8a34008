using System.CommandLine;
using System.Globalization;
using NativeVaccine.Cli.Experiments;
using NativeVaccine.Cli.Options;

namespace NativeVaccine.Cli.Commands;

/// <summary>Gives an experiment to a cluster's own scheduler.</summary>
internal sealed class ExperimentSubmitCommand : ExperimentVerb
{
    private readonly Option<bool> slurm = OptionKinds.Switch("--slurm", "submit to Slurm: the folder must be one that its machines share");
    private readonly Option<string[]> options = OptionKinds.Repeated(
        "--sbatch-options", "TEXT", "more options for sbatch, may be repeated: '--partition=gpu --time=8:00:00'; 'align: --gres=gpu:1' is for align alone (or prepare, attack, evaluate)");
    private readonly Option<bool> dryRun = OptionKinds.Switch("--dry-run", "write the scripts, and the commands that submit them to the standard output");

    public ExperimentSubmitCommand(CommandContext context) : base(
        "submit",
        "Give what is not done to Slurm, as job arrays that wait for each other; the same command again submits what failed or was lost",
        "nvaccine experiment submit experiments/miniature.json --out runs/miniature --slurm --sbatch-options '--partition=cpu --time=1:00:00'",
        context)
    {
        Add(Plan);
        Add(Out);
        AddAll([slurm, options, dryRun]);
    }

    /// <inheritdoc/>
    public override IReadOnlyCollection<string> Needed => [Out.Name, slurm.Name];

    /// <inheritdoc/>
    protected override int Execute(ParseResult parsed)
    {
        if (!parsed.GetValue(slurm)) throw new InputException("nvaccine experiment submit: expected --slurm, the scheduler to submit to");
        string[] more = parsed.GetValue(options) ?? [];
        if (Array.Find(more, static text => text.Contains('\n', StringComparison.Ordinal) || text.Trim().Length == 0) is not null)
            throw new InputException("--sbatch-options: expected options of sbatch in one line; the option may be repeated");
        (Experiment experiment, ExperimentFolder folder) = Prepare(parsed);
        using JobClaim claim = folder.TryClaim("submit", out Worker? other)
            ?? throw new InputException($"{folder.Path}: {other?.ToString() ?? "another process"} submits it at this moment");
        bool isDry = parsed.GetValue(dryRun);
        var submission = new SlurmSubmission(experiment, folder, SlurmQueue.OfThisMachine(), new SlurmScript(experiment, folder, more));
        int pieces = 0;
        submission.Run(isDry, (array, command, number) =>
        {
            pieces += array.Jobs.Count;
            if (number is null) Terminal.Out.WriteLine($"{array.Name.Replace('-', '_')}=$({string.Join(' ', command.Select(Word))})");
            else Terminal.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{array.Name}: array {number}, {array.Jobs.Count} tasks"));
        });
        Terminal.Error.WriteLine(Describe(submission, pieces, isDry));
        Terminal.Error.WriteLine($"then: nvaccine experiment status {ShellWord.Quoted(folder.Path)}");
        return ExitCode.Success;
    }

    private static string Describe(SlurmSubmission submission, int pieces, bool isDry)
    {
        string queued = submission.Queued > 0 ? FormattableString.Invariant($"; {submission.Queued} are queued or running already") : "";
        string elsewhere = submission.Elsewhere > 0 ? FormattableString.Invariant($"; {submission.Elsewhere} are in the hands of processes outside of this Slurm") : "";
        return FormattableString.Invariant($"{(isDry ? "wrote scripts for" : "submitted")} {pieces} pieces of work{queued}{elsewhere}");
    }

    /// <summary>As the shell reads it; variables that stand for numbers of arrays stay open to it.</summary>
    private static string Word(string word) => word.StartsWith("--dependency=", StringComparison.Ordinal) ? word : ShellWord.Quoted(word);
}
