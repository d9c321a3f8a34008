using System.Diagnostics;

namespace NativeVaccine.Cli.Experiments;

/// <summary>
/// The time by which a file system dates its files. Clocks of machines that share a folder differ; a server's own does not.
/// </summary>
/// <param name="folder">A folder on it.</param>
internal sealed class FolderClock(string folder)
{
    private static readonly TimeSpan Fresh = TimeSpan.FromMinutes(1);
    private readonly Lock looking = new();
    private DateTime seen;
    private long seenAt;

    /// <summary>The time now (UTC); this machine's own where the folder cannot be written.</summary>
    public DateTime Now
    {
        get
        {
            lock (looking)
            {
                if (seenAt == 0 || Stopwatch.GetElapsedTime(seenAt) > Fresh) (seen, seenAt) = (Look(), Stopwatch.GetTimestamp());
                return seen + Stopwatch.GetElapsedTime(seenAt);
            }
        }
    }

    private DateTime Look()
    {
        string file = Path.Combine(folder, $".clock-{Guid.NewGuid():N}");
        try
        {
            File.WriteAllText(file, "now");
            DateTime now = File.GetLastWriteTimeUtc(file);
            File.Delete(file);
            return now;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return DateTime.UtcNow;
        }
    }
}
