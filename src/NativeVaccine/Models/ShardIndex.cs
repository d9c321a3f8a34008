using System.Text.Json;
using NativeVaccine.IO;

namespace NativeVaccine.Models;

/// <summary>model.safetensors.index.json or pytorch_model.bin.index.json: which file of the folder holds which tensor.</summary>
internal static class ShardIndex
{
    /// <summary>The one of safetensors files, as it is written.</summary>
    public const string FileName = "model.safetensors.index.json";

    /// <summary>Reads tensor names and the names of their files, which are checked to be plain names in the same folder.</summary>
    /// <exception cref="InputException">Missing, broken, or naming files elsewhere.</exception>
    public static IReadOnlyDictionary<string, string> Read(string path)
    {
        string extension = Path.GetExtension(path[..^".index.json".Length]);
        using JsonDocument document = JsonFile.ReadObject(path);
        JsonFields map = new JsonFields(path, document.RootElement).Fields("weight_map")
            ?? throw new InputException($"{path}: weight_map is missing; expected an object of tensor and file names");
        var files = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (JsonProperty entry in map.Element.EnumerateObject())
        {
            string? file = entry.Value.ValueKind == JsonValueKind.String ? entry.Value.GetString() : null;
            if (file is null || !IsPlainName(file, extension))
                throw map.Wrong(InputText.Shorten(entry.Name), entry.Value, $"the name of a {extension} file in the same folder");
            files.Add(entry.Name, file);
        }
        return files;
    }

    /// <summary>An index comes from elsewhere: it must not lead to files outside its folder.</summary>
    private static bool IsPlainName(string file, string extension) =>
        file.EndsWith(extension, StringComparison.Ordinal) && !file.AsSpan().ContainsAny(['/', '\\', ':', '\0']);
}
