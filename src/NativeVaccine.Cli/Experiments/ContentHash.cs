using System.Globalization;
using System.IO.Hashing;
using System.Text;
using System.Text.Json.Nodes;
using NativeVaccine.Cli.Output;

namespace NativeVaccine.Cli.Experiments;

/// <summary>
/// Hashes of files and folders by their content, kept in a file so that gigabytes are not read again while their length and time are the same.
/// </summary>
internal sealed class ContentHash
{
    private readonly string cache;
    private readonly Dictionary<string, string> known = new(StringComparer.Ordinal);
    private bool isChanged;

    /// <param name="cache">The file that keeps them; one that is missing or broken is as good as an empty one.</param>
    public ContentHash(string cache)
    {
        this.cache = cache;
        if (!File.Exists(cache)) return;
        try
        {
            foreach ((string name, JsonNode? hash) in JsonNode.Parse(File.ReadAllText(cache))!.AsObject()) known[name] = (string)hash!;
        }
        catch (Exception exception) when (exception is System.Text.Json.JsonException or InvalidOperationException or IOException)
        {
            known.Clear();
        }
    }

    /// <summary>32 hexadecimal digits of XxHash128: of a file's bytes, or of the names and bytes of all files of a folder.</summary>
    /// <exception cref="InputException">It cannot be read.</exception>
    public string Of(string path)
    {
        try
        {
            if (File.Exists(path)) return OfFile(path);
            var all = new XxHash128();
            foreach (string file in Directory.EnumerateFiles(path, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
                all.Append(Encoding.UTF8.GetBytes($"{Path.GetRelativePath(path, file)}\0{OfFile(file)}\n"));
            return Convert.ToHexStringLower(all.GetCurrentHash());
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new InputException($"{path}: cannot be read: {exception.Message}", exception);
        }
    }

    /// <summary>Keeps what is known.</summary>
    /// <exception cref="InputException">The file cannot be written.</exception>
    public void Save()
    {
        if (!isChanged) return;
        JsonValues.Save(cache, new JsonObject(known.OrderBy(static one => one.Key, StringComparer.Ordinal)
            .Select(static one => KeyValuePair.Create(one.Key, (JsonNode?)one.Value))));
        isChanged = false;
    }

    private string OfFile(string path)
    {
        var file = new FileInfo(path);
        string key = string.Create(CultureInfo.InvariantCulture, $"{file.FullName}|{file.Length}|{file.LastWriteTimeUtc.Ticks}");
        if (known.TryGetValue(key, out string? hash)) return hash;
        var content = new XxHash128();
        using (FileStream stream = file.OpenRead()) content.Append(stream);
        isChanged = true;
        return known[key] = Convert.ToHexStringLower(content.GetCurrentHash());
    }
}
