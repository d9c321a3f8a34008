using System.ComponentModel;
using System.Globalization;

namespace NativeVaccine.Cli.Experiments;

/// <summary>A start of a task of Slurm.</summary>
/// <param name="Cluster">Its cluster; null where Slurm does not tell.</param>
/// <param name="Job">Its job: every task of an array has a number of its own.</param>
/// <param name="Restart">How often it was started before: 0 unless it was requeued.</param>
/// <param name="Name">As people call it: that of an array has the array's number and its index, <c>12_3</c>.</param>
internal sealed record SlurmTask(string? Cluster, string Job, int Restart, string Name)
{
    /// <summary>The task that an environment belongs to; null outside of Slurm.</summary>
    /// <param name="variable">The value of an environment variable.</param>
    public static SlurmTask? Of(Func<string, string?> variable)
    {
        if (variable("SLURM_JOB_ID") is not { Length: > 0 } job) return null;
        // Unset in the first run.
        _ = int.TryParse(variable("SLURM_RESTART_COUNT"), NumberStyles.None, CultureInfo.InvariantCulture, out int restart);
        string name = variable("SLURM_ARRAY_JOB_ID") is { Length: > 0 } array && variable("SLURM_ARRAY_TASK_ID") is { Length: > 0 } index ? $"{array}_{index}" : job;
        return new SlurmTask(variable("SLURM_CLUSTER_NAME"), job, restart, name);
    }

    /// <summary>Whether it is a start that Slurm has ended before it began another one.</summary>
    public bool IsBefore(SlurmTask other) => Cluster == other.Cluster && Job == other.Job && Restart < other.Restart;
}

/// <summary>Who works on a job.</summary>
/// <param name="Host">The machine, as people call it: several may have the same name.</param>
/// <param name="Place">Where numbers of processes mean the same: a machine since it was started, or a container on it.</param>
/// <param name="Process">The process there.</param>
/// <param name="Started">When the process began, as the system numbers it: numbers of processes are used again. Empty if it does not tell.</param>
/// <param name="Slurm">The Slurm task that it is; null outside of Slurm.</param>
internal sealed record Worker(string Host, string Place, int Process, string Started, SlurmTask? Slurm)
{
    /// <summary>This process.</summary>
    public static Worker Current { get; } = new(
        Environment.MachineName,
        PlaceOfThisProcess(),
        Environment.ProcessId,
        StartOf(Environment.ProcessId),
        SlurmTask.Of(Environment.GetEnvironmentVariable));

    /// <summary>When a process of this machine began; see <see cref="Started"/>.</summary>
    internal static string StartOf(int process) => StateOf(process)?.Started ?? "";

    /// <summary>In a few words.</summary>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture, $"process {Process} on {Host}{(Slurm is null ? "" : $", Slurm task {Slurm.Name}")}");

    /// <summary>Whether this process can see if it runs.</summary>
    public bool IsHere() => Place == Current.Place;

    /// <summary>True if it is known to have ended: there is no such process here, or it is an earlier start of the Slurm task that this one is.</summary>
    public bool HasEnded()
    {
        if (Slurm is { } task && Current.Slurm is { } own && task.IsBefore(own)) return true;
        return IsHere() && !IsRunning();
    }

    private bool IsRunning()
    {
        try
        {
            using var process = System.Diagnostics.Process.GetProcessById(Process);
            // A process that may not be asked is there.
            return StateOf(Process) is not { } state || (!state.IsDead && (Started.Length == 0 || state.Started == Started));
        }
        catch (ArgumentException)
        {
            return false;
        }
    }

    /// <summary>
    /// On Linux names of machines do not tell: containers have the same ones, and each its own numbers of processes. What cannot be found out is
    /// nobody else's place, so that only silence tells there.
    /// </summary>
    private static string PlaceOfThisProcess()
    {
        if (!OperatingSystem.IsLinux()) return Environment.MachineName;
        try
        {
            string boot = File.ReadAllText("/proc/sys/kernel/random/boot_id").Trim();
            string processes = new FileInfo("/proc/self/ns/pid").LinkTarget ?? throw new IOException("no link");
            return $"{Environment.MachineName} {boot} {processes}";
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return $"{Environment.MachineName} {Guid.NewGuid():N}";
        }
    }

    /// <summary>
    /// When a process began, and whether it is dead and only not yet buried by its parent; null if the system does not tell. On Linux in ticks
    /// since the machine was started: .NET's time of day changes with every step of the clock.
    /// </summary>
    private static (string Started, bool IsDead)? StateOf(int id)
    {
        try
        {
            if (!OperatingSystem.IsLinux())
            {
                using var process = System.Diagnostics.Process.GetProcessById(id);
                return (process.StartTime.ToUniversalTime().ToString("O", CultureInfo.InvariantCulture), process.HasExited);
            }
            string line = File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/{id}/stat"));
            // proc(5): the name in parentheses is the second field, and may have any character; the state is the third, the start the 22nd.
            string[] fields = line[(line.LastIndexOf(')') + 2)..].Split(' ');
            return (fields[22 - 3], fields[0] is "Z" or "X");
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or Win32Exception or InvalidOperationException
            or ArgumentException or IndexOutOfRangeException)
        {
            return null;
        }
    }
}
