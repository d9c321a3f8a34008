using System.Collections.Concurrent;
using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;

namespace NativeVaccine.IO;

/// <summary>
/// Names for what is being written: beside its place, with the host and the process that writes it, so that what a killed process left can
/// be told from what a living one is at.
/// </summary>
internal static partial class TemporaryName
{
    /// <summary>Names may have 255 bytes, and host, process and time come after this.</summary>
    private const int LongestTarget = 120;
    private const int MostAttempts = 10;

    /// <summary>What another host left is nobody's after this.</summary>
    private static readonly TimeSpan Abandoned = TimeSpan.FromDays(1);
    private static readonly TimeSpan ClockError = TimeSpan.FromSeconds(2);
    private static readonly ConcurrentDictionary<string, bool> Live = new();
    private static readonly string Host = NotInName().Replace(Environment.MachineName, "-");

    /// <summary>A new name for what will take the place of <paramref name="target"/>.</summary>
    public static string For(string target) => In(Path.GetDirectoryName(target) ?? target, target);

    /// <summary>The same in another folder.</summary>
    public static string In(string folder, string target)
    {
        using var process = Process.GetCurrentProcess();
        long started = new DateTimeOffset(process.StartTime.ToUniversalTime()).ToUnixTimeSeconds();
        string random = Guid.NewGuid().ToString("N")[..8];
        string owner = string.Create(CultureInfo.InvariantCulture, $"{Host}-{Environment.ProcessId}-{started}-{random}");
        string path = Path.Combine(folder, $"{Prefix(target)}{owner}.partial");
        Live[path] = true;
        return path;
    }

    /// <summary>Removes a temporary file or folder, or does nothing where it is in its place already.</summary>
    public static void Remove(string path)
    {
        Live.TryRemove(path, out _);
        RemoveQuietly(path);
    }

    /// <summary>Removes what killed processes left of <paramref name="target"/> in a folder. Never follows a link.</summary>
    public static void RemoveDead(string folder, string target)
    {
        foreach ((string path, Match owner) in Of(folder, target).ToList())
        {
            if (IsDead(path, owner)) RemoveQuietly(path);
        }
    }

    /// <summary>Whether somebody is writing <paramref name="target"/> in a folder.</summary>
    public static bool IsBeingWritten(string folder, string target) => Of(folder, target).Any(static one => !IsDead(one.Path, one.Owner));

    /// <summary>Whether a path is a temporary name of <paramref name="target"/>, and no link.</summary>
    public static bool IsOf(string path, string target) => OwnerOf(path, target) is not null;

    /// <summary>Removes everything that this process is writing: for ending it at once.</summary>
    public static void RemoveLive()
    {
        // Whoever writes there is not stopped, and may add to a folder while it is being removed.
        for (int attempt = 0; attempt < MostAttempts && !Live.IsEmpty; attempt++)
        {
            foreach (string path in Live.Keys.ToList())
            {
                RemoveQuietly(path);
                if (!Path.Exists(path)) Live.TryRemove(path, out _);
            }
        }
    }

    private static IEnumerable<(string Path, Match Owner)> Of(string folder, string target)
    {
        if (!Directory.Exists(folder)) yield break;
        foreach (string path in Directory.EnumerateFileSystemEntries(folder, ".*.partial"))
        {
            if (OwnerOf(path, target) is { } owner) yield return (path, owner);
        }
    }

    private static Match? OwnerOf(string path, string target)
    {
        string name = Path.GetFileName(path);
        string prefix = Prefix(target);
        if (!name.StartsWith(prefix, StringComparison.Ordinal) || new FileInfo(path).LinkTarget is not null) return null;
        return Owner().Match(name[prefix.Length..]) is { Success: true } owner ? owner : null;
    }

    private static bool IsDead(string path, Match owner)
    {
        if (owner.Groups["host"].Value != Host) return DateTime.UtcNow - File.GetLastWriteTimeUtc(path) > Abandoned;
        return !int.TryParse(owner.Groups["process"].ValueSpan, CultureInfo.InvariantCulture, out int process)
            || !long.TryParse(owner.Groups["started"].ValueSpan, CultureInfo.InvariantCulture, out long started)
            || !IsRunning(process, DateTimeOffset.FromUnixTimeSeconds(Math.Min(started, int.MaxValue)));
    }

    private static bool IsRunning(int id, DateTimeOffset started)
    {
        try
        {
            using Process process = Process.GetProcessById(id);
            return (process.StartTime.ToUniversalTime() - started.UtcDateTime).Duration() <= ClockError;
        }
        catch (ArgumentException)
        {
            return false;
        }
        catch (Exception exception) when (exception is InvalidOperationException or Win32Exception or NotSupportedException)
        {
            return true;  // it is there, and may not be asked
        }
    }

    private static string Prefix(string target)
    {
        string name = Path.GetFileName(target);
        byte[] bytes = Encoding.UTF8.GetBytes(name);
        return bytes.Length <= LongestTarget ? $".{name}." : $".{Convert.ToHexStringLower(SHA256.HashData(bytes))}.";
    }

    private static void RemoveQuietly(string path)
    {
        try
        {
            if (Directory.Exists(path)) Directory.Delete(path, recursive: true);
            else File.Delete(path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // Another failure was first, and is the one to report; or the next process to write here tries again.
        }
    }

    [GeneratedRegex("[^A-Za-z0-9-]")]
    private static partial Regex NotInName();

    [GeneratedRegex(@"^(?<host>[A-Za-z0-9-]+)-(?<process>\d+)-(?<started>\d+)-[0-9a-f]{8}\.partial$")]
    private static partial Regex Owner();
}
