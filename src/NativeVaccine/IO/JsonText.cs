using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace NativeVaccine.IO;

/// <summary>Writes JSON for Python's eyes.</summary>
internal static class JsonText
{
    /// <summary>Indented by two as Hugging Face's own files, text unescaped, with a line break at the end.</summary>
    public static string Indented(JsonObject json)
    {
        var buffer = new ArrayBufferWriter<byte>();
        var options = new JsonWriterOptions { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
        using (var writer = new Utf8JsonWriter(buffer, options)) json.WriteTo(writer);
        return Encoding.UTF8.GetString(buffer.WrittenSpan) + "\n";
    }

    /// <summary>A value without spaces and line breaks, text unescaped.</summary>
    public static string Compact(JsonElement value)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
            value.WriteTo(writer);
        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }

    /// <summary>A number that Python reads as a float: transformers refuses a whole number for some fields.</summary>
    public static JsonNode Float(double value)
    {
        string text = Shortest(value);
        return JsonNode.Parse(text.AsSpan().ContainsAny('.', 'E') ? text : text + ".0")!;
    }

    /// <summary>A number that Python reads as an int if it is whole, else as a float.</summary>
    public static JsonNode Number(double value) => JsonNode.Parse(Shortest(value))!;

    private static string Shortest(double value) => value.ToString("R", CultureInfo.InvariantCulture);
}
