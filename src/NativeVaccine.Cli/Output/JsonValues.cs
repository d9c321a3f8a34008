using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using NativeVaccine.IO;

namespace NativeVaccine.Cli.Output;

/// <summary>JSON as the commands write it: for other programs to read, and for people to look at.</summary>
internal static class JsonValues
{
    private static readonly JsonSerializerOptions Indented =
        new(JsonSerializerOptions.Default) { WriteIndented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Writes a file, whole or not at all.</summary>
    /// <exception cref="InputException">It cannot be written.</exception>
    public static void Save(string path, JsonNode json) => AtomicFile.WriteAllText(path, Text(json));

    /// <summary>The text of such a file.</summary>
    public static string Text(JsonNode json) => json.ToJsonString(Indented) + "\n";

    /// <summary>A list of numbers.</summary>
    public static JsonArray Array(IEnumerable<int> values) => [.. values.Select(static value => (JsonNode)value)];

    /// <summary>A number, or null for one that JSON does not have.</summary>
    public static JsonNode? Number(double value) => double.IsFinite(value) ? value : null;
}
