namespace NativeVaccine.IO;

/// <summary>Where links lead.</summary>
internal static class RealPath
{
    private const int MostLinks = 40;

    /// <summary>
    /// True if a file of a folder is no link, or one that stays in the folder or, in a Hugging Face cache, in the model's part of it: there
    /// models--OWNER--NAME/snapshots/REVISION holds links into models--OWNER--NAME/blobs.
    /// </summary>
    /// <exception cref="InputException">Links go in a circle.</exception>
    public static bool StaysWithin(string file, string folder)
    {
        string root = Of(folder);
        DirectoryInfo? snapshots = Directory.GetParent(root);
        if (snapshots is { Name: "snapshots", Parent: { } model } && model.Name.StartsWith("models--", StringComparison.Ordinal))
            root = model.FullName;
        string target = Of(file);
        return target.StartsWith(Path.TrimEndingDirectorySeparator(root) + Path.DirectorySeparatorChar, StringComparison.Ordinal);
    }

    /// <summary>The path with all links followed, those of its folders too.</summary>
    /// <exception cref="InputException">Links go in a circle.</exception>
    public static string Of(string path) => Of(path, MostLinks);

    private static string Of(string path, int linksLeft)
    {
        string full = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
        string? parent = Path.GetDirectoryName(full);
        if (parent is null) return full;
        string here = Path.Combine(Of(parent, linksLeft), Path.GetFileName(full));
        if (new FileInfo(here).LinkTarget is not { } target) return here;
        if (linksLeft == 0) throw new InputException($"{path}: links go in a circle, or there are too many");
        return Of(Path.Combine(Path.GetDirectoryName(here)!, target), linksLeft - 1);
    }
}
