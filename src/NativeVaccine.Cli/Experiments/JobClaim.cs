using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace NativeVaccine.Cli.Experiments;

/// <summary>Who works on a job.</summary>
/// <param name="Host">The machine.</param>
/// <param name="Process">The process there.</param>
/// <param name="Started">When the process began, by its own machine's clock: numbers of processes are used again.</param>
/// <param name="Task">The Slurm task that it is, with how often it was started; null outside of Slurm.</param>
internal sealed record Worker(string Host, int Process, string Started, string? Task)
{
    /// <summary>This process.</summary>
    public static Worker Current { get; } = OfThisProcess();

    /// <summary>In a few words.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"process {Process} on {Host}");

    private static Worker OfThisProcess()
    {
        using var process = System.Diagnostics.Process.GetCurrentProcess();
        string? job = Environment.GetEnvironmentVariable("SLURM_JOB_ID");
        string restarts = Environment.GetEnvironmentVariable("SLURM_RESTART_COUNT") ?? "0";
        return new Worker(Environment.MachineName, process.Id, StartOf(process), job is null ? null : $"{job}/{restarts}");
    }

    /// <summary>
    /// True if it is known to have ended: on this machine there is no such process, or it is an earlier start of the Slurm task that this one is.
    /// </summary>
    public bool HasEnded()
    {
        if (Task is { } task && Current.Task is { } own && task != own && task.Split('/')[0] == own.Split('/')[0]) return true;
        if (Host != Current.Host) return false;
        try
        {
            using var process = System.Diagnostics.Process.GetProcessById(Process);
            return StartOf(process) != Started;
        }
        catch (Exception exception) when (exception is ArgumentException or InvalidOperationException)
        {
            return true;
        }
    }

    private static string StartOf(Process process) => process.StartTime.ToUniversalTime().ToString("yyyy-MM-ddTHH:mm:ss.ff", CultureInfo.InvariantCulture);
}

/// <summary>
/// The right to work on a job: a folder that is renamed into place, which succeeds for one of many on any file system, NFS among them, where
/// locks of files may not hold. Its owner touches it now and then; one that was not touched for long, or whose owner has ended, is taken over.
/// </summary>
internal sealed class JobClaim : IDisposable
{
    private const string OwnerFile = "owner.json";

    /// <summary>A worker that was not heard of for so long is lost. Longer than any pause of a shared folder.</summary>
    private static readonly TimeSpan Silence = TimeSpan.FromMinutes(5);

    private static readonly TimeSpan Beat = TimeSpan.FromSeconds(20);
    private readonly string folder;
    private readonly Timer heart;

    private JobClaim(string folder)
    {
        this.folder = folder;
        heart = new Timer(_ => Touch(), null, Beat, Beat);
    }

    /// <summary>Claims a job.</summary>
    /// <param name="folder">The claim's place.</param>
    /// <param name="owner">Who has it, if another has.</param>
    /// <returns>Null if another has it.</returns>
    /// <exception cref="InputException">The folder cannot be written.</exception>
    public static JobClaim? TryTake(string folder, out Worker? owner)
    {
        string own = $"{folder}.{Guid.NewGuid():N}";
        try
        {
            Directory.CreateDirectory(own);
            File.WriteAllText(Path.Combine(own, OwnerFile), JsonSerializer.Serialize(Worker.Current));
            for (int attempt = 0; ; attempt++)
            {
                try
                {
                    Directory.Move(own, folder);
                    owner = Worker.Current;
                    return new JobClaim(folder);
                }
                catch (IOException) when (Directory.Exists(folder) || attempt < 3)
                {
                    owner = OwnerOf(folder);
                    if (attempt >= 3 || !IsLost(folder, owner, Path.Combine(own, OwnerFile))) break;
                    Remove(folder, owner);
                }
            }
            Directory.Delete(own, recursive: true);
            return null;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new InputException($"{folder}: cannot be written: {exception.Message}", exception);
        }
    }

    /// <summary>Who works on a job at this moment; null if nobody does.</summary>
    public static Worker? Holder(string folder)
    {
        if (!Directory.Exists(folder)) return null;
        Worker? owner = OwnerOf(folder);
        return owner?.HasEnded() == true ? null : owner;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        heart.Dispose();
        Remove(folder, Worker.Current);
    }

    private static Worker? OwnerOf(string folder)
    {
        try
        {
            return JsonSerializer.Deserialize<Worker>(File.ReadAllText(Path.Combine(folder, OwnerFile)));
        }
        catch (Exception exception) when (exception is IOException or JsonException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Times are those of the file system that holds both files, so clocks of machines that differ do not matter.</summary>
    private static bool IsLost(string folder, Worker? owner, string fresh)
    {
        if (owner?.HasEnded() == true) return true;
        File.WriteAllText(fresh, JsonSerializer.Serialize(Worker.Current));
        string beat = Path.Combine(folder, OwnerFile);
        return File.Exists(beat) && File.GetLastWriteTimeUtc(fresh) - File.GetLastWriteTimeUtc(beat) > Silence;
    }

    /// <summary>
    /// Under a name of its own first: of several that find it lost, one takes it away. One that is another's by then is put back.
    /// </summary>
    private static void Remove(string folder, Worker? owner)
    {
        string away = $"{folder}.{Guid.NewGuid():N}";
        try
        {
            Directory.Move(folder, away);
            if (OwnerOf(away) is { } found && found != owner) Directory.Move(away, folder);
            else Directory.Delete(away, recursive: true);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // Another was faster.
        }
    }

    private void Touch()
    {
        try
        {
            if (OwnerOf(folder) == Worker.Current) File.WriteAllText(Path.Combine(folder, OwnerFile), JsonSerializer.Serialize(Worker.Current));
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // The shared folder is away for a moment: there are more beats before the claim counts as lost.
        }
    }
}
