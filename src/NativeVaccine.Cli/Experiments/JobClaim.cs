using System.Globalization;
using System.Text.Json;

namespace NativeVaccine.Cli.Experiments;

/// <summary>
/// The right to work on a job, among all who share its folder. Claims of a job are folders with the numbers 1, 2, 3, ..., and the last one
/// counts. A folder with its owner's name is made under another name and renamed into place, which succeeds for one of many on any file
/// system, NFS among them, where locks of files may not hold. No claim is ever removed or changed hands: whoever gives it back, or is lost,
/// leaves the next number to one of those who want it. So nobody can take away, by what they saw a moment ago, what is another's now.
/// </summary>
internal sealed class JobClaim : IDisposable
{
    private const string OwnerFile = "owner.json";
    private const string ReleasedFile = "released";

    /// <summary>A worker elsewhere that was not heard of for so long is lost. Longer than any pause of a shared folder.</summary>
    private static readonly TimeSpan Silence = TimeSpan.FromMinutes(5);

    private static readonly TimeSpan Beat = TimeSpan.FromSeconds(20);
    private const int MostAttempts = 10;
    private static readonly TimeSpan BetweenAttempts = TimeSpan.FromMilliseconds(50);

    private readonly string folder;
    private readonly int number;
    private readonly byte[] text;
    private readonly Timer heart;
    private readonly CancellationTokenSource lost = new();

    private JobClaim(string folder, int number, byte[] text)
    {
        (this.folder, this.number, this.text) = (folder, number, text);
        heart = new Timer(_ => Touch(), null, Beat, Beat);
    }

    /// <summary>What is in <see cref="OwnerFile"/>.</summary>
    /// <param name="Claim">A name that no other claim has.</param>
    /// <param name="Worker">Whose it is.</param>
    private sealed record Owner(string Claim, Worker Worker);

    /// <summary>Cancelled when another has taken the job over, because nothing was heard from here: this process was halted for long.</summary>
    public CancellationToken Lost => lost.Token;

    /// <summary>Claims a job.</summary>
    /// <param name="folder">The folder of the job's claims.</param>
    /// <param name="clock">Of the file system that has it.</param>
    /// <param name="owner">Who has it, if another has and it is known.</param>
    /// <returns>Null if another has it.</returns>
    /// <exception cref="InputException">The folder cannot be written.</exception>
    public static JobClaim? TryTake(string folder, FolderClock clock, out Worker? owner)
    {
        try
        {
            Directory.CreateDirectory(folder);
            for (int attempt = 1; ; attempt++)
            {
                int last = Last(folder);
                if (IsHeld(folder, last, clock, out owner)) return null;
                if (Make(folder, last + 1, isLastAttempt: attempt == MostAttempts) is { } claim)
                {
                    owner = Worker.Current;
                    return claim;
                }
                // Another was faster; this machine may see it a moment later.
                if (attempt == MostAttempts) return null;
                Thread.Sleep(BetweenAttempts);
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new InputException($"{folder}: cannot be written: {exception.Message}", exception);
        }
    }

    /// <summary>Whether somebody works on a job at this moment.</summary>
    /// <param name="folder">The folder of the job's claims.</param>
    /// <param name="clock">Of the file system that has it.</param>
    /// <param name="owner">Who, if it is known.</param>
    public static bool IsHeld(string folder, FolderClock clock, out Worker? owner) => IsHeld(folder, Last(folder), clock, out owner);

    /// <summary>Looks whether the claim is still this process's, and says that it lives.</summary>
    internal void Touch()
    {
        try
        {
            if (Directory.Exists(Numbered(folder, number + 1)))
            {
                lost.Cancel();
                return;
            }
            // The same bytes again, in place: readers see them whole, and the file system dates the file by its own clock.
            using var file = new FileStream(Path.Combine(Numbered(folder, number), OwnerFile), FileMode.Open, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete);
            file.Write(text);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ObjectDisposedException)
        {
            // The shared folder is away for a moment: there are more beats before the claim counts as lost.
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        heart.Dispose();
        lost.Dispose();
        try
        {
            File.WriteAllBytes(Path.Combine(Numbered(folder, number), ReleasedFile), []);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // It ends with this process, or by its silence.
        }
    }

    /// <summary>Makes a claim under a number; null if another has the number.</summary>
    private static JobClaim? Make(string folder, int number, bool isLastAttempt)
    {
        string name = Guid.NewGuid().ToString("N");
        string own = Path.Combine(folder, $".{name}");
        string place = Numbered(folder, number);
        byte[] text = JsonSerializer.SerializeToUtf8Bytes(new Owner(name, Worker.Current));
        Directory.CreateDirectory(own);
        File.WriteAllBytes(Path.Combine(own, OwnerFile), text);
        try
        {
            Directory.Move(own, place);
            return new JobClaim(folder, number, text);
        }
        catch (IOException)
        {
            // NFS asks again when an answer was lost on its way, and then hears that its own folder is in the way.
            if (OwnerOf(place)?.Claim == name) return new JobClaim(folder, number, text);
            if (Directory.Exists(own)) Directory.Delete(own, recursive: true);
            if (isLastAttempt && !Directory.Exists(place)) throw;
            return null;
        }
    }

    /// <summary>The number of the last claim; 0 if there was none.</summary>
    private static int Last(string folder)
    {
        int last = 0;
        while (Directory.Exists(Numbered(folder, last + 1))) last++;
        return last;
    }

    private static bool IsHeld(string folder, int number, FolderClock clock, out Worker? owner)
    {
        owner = null;
        string place = Numbered(folder, number);
        if (number == 0 || File.Exists(Path.Combine(place, ReleasedFile))) return false;
        owner = OwnerOf(place)?.Worker;
        if (owner?.HasEnded() == true) return false;
        // Whoever lives here is only halted, however long it is silent.
        if (owner?.IsHere() == true) return true;
        string beat = Path.Combine(place, OwnerFile);
        DateTime heard = File.Exists(beat) ? File.GetLastWriteTimeUtc(beat) : Directory.GetLastWriteTimeUtc(place);
        return clock.Now - heard <= Silence;
    }

    private static Owner? OwnerOf(string place)
    {
        try
        {
            return JsonSerializer.Deserialize<Owner>(File.ReadAllBytes(Path.Combine(place, OwnerFile)));
        }
        catch (Exception exception) when (exception is IOException or JsonException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static string Numbered(string folder, int number) => Path.Combine(folder, number.ToString(CultureInfo.InvariantCulture));
}
