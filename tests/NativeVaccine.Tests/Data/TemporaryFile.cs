namespace NativeVaccine.Tests.Data;

/// <summary>A file with some content, gone at the end of the test.</summary>
internal sealed class TemporaryFile : IDisposable
{
    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("nativevaccine-");

    public TemporaryFile(string name, string content)
    {
        Path = System.IO.Path.Combine(folder.FullName, name);
        File.WriteAllText(Path, content);
    }

    public string Path { get; }

    public void Dispose() => folder.Delete(recursive: true);
}
