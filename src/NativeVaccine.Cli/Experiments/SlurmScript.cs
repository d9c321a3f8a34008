using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using NativeVaccine.IO;

namespace NativeVaccine.Cli.Experiments;

/// <summary>Writes the batch scripts of job arrays.</summary>
/// <param name="experiment">The grid and its jobs.</param>
/// <param name="folder">Its folder.</param>
/// <param name="options">More options of sbatch: a line each, for all arrays, or for one kind of them if it begins with <c>align:</c> or the like.</param>
internal sealed partial class SlurmScript(Experiment experiment, ExperimentFolder folder, IReadOnlyList<string> options)
{
    private readonly Dictionary<string, string> titles = TitlesOf(experiment);

    /// <summary>Where the script of an array lies.</summary>
    public string FileOf(SlurmArray array) => folder.Inside($"{ExperimentFolder.Slurm}/{array.Name}.sbatch");

    /// <summary>The words of the command that submits an array.</summary>
    /// <param name="array">The array.</param>
    /// <param name="after">Numbers of the Slurm jobs that have to end first, however they end.</param>
    public string[] Submission(SlurmArray array, IReadOnlyList<string> after) =>
        ["sbatch", "--parsable", .. after.Count == 0 ? (string[])[] : [$"--dependency=afterany:{string.Join(':', after)}"], FileOf(array)];

    /// <summary>The script of an array.</summary>
    /// <param name="array">The array.</param>
    /// <param name="before">The arrays that it waits for.</param>
    public string Of(SlurmArray array, IReadOnlyList<SlurmArray> before)
    {
        string numbers = string.Join(':', before.Select(static one => $"NUMBER-OF-{one.Name}"));
        var text = new StringBuilder("#!/bin/bash\n");
        Line($"# Experiment {InputText.OneLine(experiment.Name)}, {array.Name}: {Count(array.Jobs.Count, "piece")} of work, one a task. Written and submitted by");
        Line("# nvaccine experiment submit. By hand, in the order of the waves, with the numbers that sbatch gives:");
        Line($"#   {(before.Count == 0 ? "sbatch" : $"sbatch --dependency=afterany:{numbers}")} {ShellWord.Quoted(FileOf(array))}");
        Option($"--job-name={OptionWord($"{InputText.OneLine(experiment.Name)}:{array.Kind}")}");
        Option(string.Create(CultureInfo.InvariantCulture, $"--array=0-{array.Jobs.Count - 1}"));
        Option($"--output={OptionWord($"{folder.Inside(ExperimentFolder.Slurm).Replace("%", "%%", StringComparison.Ordinal)}/{array.Name}-%A_%a.log")}");
        Option("--open-mode=append");  // a requeued task begins its file anew otherwise
        Option("--requeue");
        Option("--signal=B:TERM@60");  // a minute before the time limit, for a checkpoint
        if (ThreadsOf(array) is { } threads) Option(string.Create(CultureInfo.InvariantCulture, $"--cpus-per-task={threads}"));
        foreach (string more in options.Select(one => ForKind(one, array.Kind)).OfType<string>()) Option(more);
        text.Append("\njobs=(\n");
        foreach (ExperimentJob job in array.Jobs) Line($"    {job.Id}  # {job.Stage} {InputText.OneLine(titles[job.Id])}");
        text.Append(")\n");
        // exec: signals of Slurm go to the program itself.
        string command = string.Join(' ', OwnCommand.Words("experiment", "job", folder.Path).Select(ShellWord.Quoted));
        Line($"exec {command} \"${{jobs[$SLURM_ARRAY_TASK_ID]}}\"");
        return text.ToString();

        void Line(string line) => text.Append(line).Append('\n');
        void Option(string option) => Line($"#SBATCH {option}");
    }

    /// <summary>The options as they are for a kind of array; null if they are for another.</summary>
    private static string? ForKind(string options, string kind) =>
        OfOneKind().Match(options) is not { Success: true } match ? options : match.Groups[1].Value == kind ? match.Groups[2].Value : null;

    /// <summary>The most threads that one of the jobs is told to use; null if they are told nothing.</summary>
    private static int? ThreadsOf(SlurmArray array) => array.Jobs.Select(static job => job.ValueOf("--threads")).OfType<string>()
        .Select(static threads => int.Parse(threads, CultureInfo.InvariantCulture))
        .Where(static threads => threads > 0).Cast<int?>().Max();

    /// <summary>The first cell that needs each job; cells that share it are left out.</summary>
    private static Dictionary<string, string> TitlesOf(Experiment experiment)
    {
        var titles = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (GridCell cell in experiment.Cells)
        {
            foreach (ExperimentJob job in experiment.WorkOf(cell)) titles.TryAdd(job.Id, cell.Title);
        }
        return titles;
    }

    /// <summary>A value as sbatch reads it in a script: it knows quotation marks, and backslashes before a character.</summary>
    private static string OptionWord(string word) => ShellWord.Quoted(word);

    private static string Count(int number, string what) => string.Create(CultureInfo.InvariantCulture, $"{number} {what}{(number == 1 ? "" : "s")}");

    [GeneratedRegex(@"^\s*(prepare|align|attack|evaluate):\s*(.*)$", RegexOptions.Singleline)]
    private static partial Regex OfOneKind();
}
