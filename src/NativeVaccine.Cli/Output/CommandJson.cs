using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using NativeVaccine.IO;

namespace NativeVaccine.Cli.Output;

/// <summary>JSON as the commands write it: for other programs to read, and for people to look at.</summary>
internal static class CommandJson
{
    /// <summary>Indented, text unescaped.</summary>
    public static JsonSerializerOptions Options { get; } =
        new(JsonSerializerOptions.Default) { WriteIndented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Writes a file, whole or not at all.</summary>
    /// <exception cref="InputException">It cannot be written.</exception>
    public static void Save(string path, JsonNode json) => AtomicFile.WriteAllText(path, json.ToJsonString(Options) + "\n");

    /// <summary>A list of numbers.</summary>
    public static JsonArray Array(IEnumerable<int> values) => [.. values.Select(static value => (JsonNode)value)];
}
