using System.Globalization;

namespace NativeVaccine.IO;

/// <summary>Follows links as the system does: the folder behind each link counts, also for a <c>..</c> after it.</summary>
internal static class RealPath
{
    private const int MostLinks = 40;

    /// <summary>The absolute path without any link in it. What does not exist yet stays as it is.</summary>
    /// <exception cref="InputException">The links lead in a circle.</exception>
    public static string Of(string path)
    {
        string absolute = Path.IsPathFullyQualified(path) ? path : Path.Combine(Environment.CurrentDirectory, path);
        string real = Root(absolute);
        var rest = new Stack<string>();
        Push(rest, absolute[real.Length..]);
        int links = 0;
        while (rest.TryPop(out string? part))
        {
            if (part == ".")
                continue;
            if (part == "..")
            {
                real = Path.GetDirectoryName(real) ?? real;
                continue;
            }
            string next = Path.Combine(real, part);
            string? target = Descriptor(next) is null ? new FileInfo(next).LinkTarget : null;
            if (target is null)
            {
                real = next;
                continue;
            }
            if (++links > MostLinks) throw new InputException($"{path}: leads through too many links; expected at most {MostLinks}");
            string root = Path.IsPathFullyQualified(target) ? Root(target) : "";
            if (root.Length > 0) real = root;
            Push(rest, target[root.Length..]);
        }
        return real;
    }

    /// <summary>
    /// True if a file of a folder is no link, or one that stays in the folder or, in a Hugging Face cache, in the model's part of it: there
    /// models--OWNER--NAME/snapshots/REVISION holds links into models--OWNER--NAME/blobs.
    /// </summary>
    /// <exception cref="InputException">Links go in a circle.</exception>
    public static bool StaysWithin(string file, string folder)
    {
        string root = Path.TrimEndingDirectorySeparator(Of(folder));
        DirectoryInfo? snapshots = Directory.GetParent(root);
        if (snapshots is { Name: "snapshots", Parent: { } model } && model.Name.StartsWith("models--", StringComparison.Ordinal))
            root = model.FullName;
        return IsBelow(Of(file), root);
    }

    /// <summary>Whether a path without links is one below a folder without links.</summary>
    public static bool IsBelow(string path, string folder) =>
        path.StartsWith(Path.TrimEndingDirectorySeparator(folder) + Path.DirectorySeparatorChar, StringComparison.Ordinal);

    /// <summary>The number of the open file of this process that a real path stands for (/proc/self/fd/1); null for any other path.</summary>
    public static int? Descriptor(string real)
    {
        string folder = OperatingSystem.IsLinux() ? string.Create(CultureInfo.InvariantCulture, $"/proc/{Environment.ProcessId}/fd/") : "/dev/fd/";
        bool isOne = real.StartsWith(folder, StringComparison.Ordinal)
            && int.TryParse(real.AsSpan(folder.Length), NumberStyles.None, CultureInfo.InvariantCulture, out _);
        return isOne ? int.Parse(real.AsSpan(folder.Length), CultureInfo.InvariantCulture) : null;
    }

    private static string Root(string path) => Path.GetPathRoot(path) ?? "";

    private static void Push(Stack<string> to, string path)
    {
        string[] parts =
            path.Split([Path.DirectorySeparatorChar, Path.AltDirectorySeparatorChar], StringSplitOptions.RemoveEmptyEntries);
        foreach (string part in parts.Reverse()) to.Push(part);
    }
}
