using System.Runtime.CompilerServices;

namespace NativeVaccine.Tests;

/// <summary>Finds the files that the ecosystem's own tools wrote.</summary>
internal static class Fixtures
{
    public static string RepositoryRoot { get; } = System.IO.Path.GetFullPath(System.IO.Path.Combine(FolderOfThisFile(), "..", ".."));

    public static string Path(params string[] parts) => System.IO.Path.Combine([RepositoryRoot, "tests", "fixtures", .. parts]);

    /// <summary>A file of the published tokenizers, which lie outside the repository because of their licences.</summary>
    public static string PublishedTokenizer(string name) =>
        System.IO.Path.Combine(RepositoryRoot, "..", "shared", "fixtures", "tokenizers", name);

    private static string FolderOfThisFile([CallerFilePath] string path = "") => System.IO.Path.GetDirectoryName(path)!;
}
