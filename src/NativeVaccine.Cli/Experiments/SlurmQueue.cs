using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;

namespace NativeVaccine.Cli.Experiments;

/// <summary>What a program said.</summary>
internal sealed record ProgramResult(int ExitCode, string Output, string Error);

/// <summary>Slurm, through its own commands: sbatch, squeue and scontrol. Nothing is asked about work that has ended, which Slurm soon forgets.</summary>
/// <param name="run">Runs a command: its words, the first of which is the program. Null if there is no such program.</param>
internal sealed class SlurmQueue(Func<IReadOnlyList<string>, ProgramResult?> run)
{
    /// <summary>What Slurm takes unless its configuration says otherwise; see slurm.conf(5), MaxArraySize.</summary>
    private const int UsualArraySize = 1001;

    /// <summary>The Slurm of this machine.</summary>
    public static SlurmQueue OfThisMachine() => new(Start);

    /// <summary>How many tasks an array may have at most; what is usual where there is no Slurm to ask.</summary>
    public int LargestArray()
    {
        string[]? setting = run(["scontrol", "show", "config"])?.Output.Split('\n')
            .Select(static line => line.Split('=', 2, StringSplitOptions.TrimEntries))
            .FirstOrDefault(static line => line is ["MaxArraySize", _]);
        return setting is [_, var value] && int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out int size) && size > 0 ? size : UsualArraySize;
    }

    /// <summary>What is queued or running, by two names each: a task's own number, and those of its array and index, <c>12_3</c>.</summary>
    /// <exception cref="InputException">squeue fails.</exception>
    public HashSet<string> Tasks() =>
        [.. Ask(["squeue", "--noheader", "--array", "--format=%A %F_%K"]).Split((char[])[' ', '\n'], StringSplitOptions.RemoveEmptyEntries)];

    /// <summary>Submits a script.</summary>
    /// <param name="command">sbatch with its options, <c>--parsable</c> among them.</param>
    /// <returns>The number of the job or array.</returns>
    /// <exception cref="InputException">sbatch refuses it.</exception>
    public string Submit(IReadOnlyList<string> command) => Ask(command).Trim().Split(';')[0];  // ";" and the cluster's name follow, if there are several

    private string Ask(IReadOnlyList<string> command)
    {
        ProgramResult result = run(command)
            ?? throw new InputException($"{command[0]}: there is no such program here; expected Slurm's commands (--dry-run only writes the scripts)");
        if (result.ExitCode == 0) return result.Output;
        string reason = result.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).LastOrDefault()
            ?? string.Create(CultureInfo.InvariantCulture, $"exit code {result.ExitCode}");
        throw new InputException($"{string.Join(' ', command.Select(ShellWord.Quoted))}: {reason}");
    }

    private static ProgramResult? Start(IReadOnlyList<string> command)
    {
        try
        {
            using Process process = Process.Start(new ProcessStartInfo(command[0], command.Skip(1)) { RedirectStandardOutput = true, RedirectStandardError = true })!;
            Task<string> error = process.StandardError.ReadToEndAsync();
            string output = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            return new ProgramResult(process.ExitCode, output, error.GetAwaiter().GetResult());
        }
        catch (Win32Exception)
        {
            return null;
        }
    }
}
