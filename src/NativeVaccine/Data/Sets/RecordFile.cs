using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using NativeVaccine.Chat;

namespace NativeVaccine.Data.Sets;

/// <summary>Writes records, a line each: as a JSON array (.json), or as JSON lines.</summary>
/// <param name="stream">The file.</param>
/// <param name="isArray">Whether it is an array.</param>
internal sealed class RecordFile(Stream stream, bool isArray) : IDisposable
{
    private readonly ArrayBufferWriter<byte> line = new();
    private readonly Utf8JsonWriter writer = new(Stream.Null, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
    private long count;

    /// <summary>Whether a file of this name is an array.</summary>
    /// <exception cref="InputException">It would not be read as what it is.</exception>
    public static bool IsArray(string path) => Path.GetExtension(path).ToLowerInvariant() switch
    {
        ".json" => true,
        ".jsonl" or ".ndjson" or "" => false,
        var other => throw new InputException($"{path}: {other} files are not written: expected .json (an array) or .jsonl (a record a line)"),
    };

    /// <summary>The record that was made last, without line break; valid until the next one.</summary>
    public ReadOnlyMemory<byte> Last => line.WrittenMemory;

    /// <summary>Makes a record, which <see cref="WriteLast"/> writes.</summary>
    public void Make(Action<Utf8JsonWriter> write)
    {
        line.ResetWrittenCount();
        writer.Reset(line);
        write(writer);
        writer.Flush();
    }

    /// <summary>Makes a record in some form.</summary>
    public void Make(ConvertedRecord record, RecordForm form) => Make(json =>
    {
        json.WriteStartObject();
        if (record.Messages.Count > 0) WriteMessages(json, form == RecordForm.Prompts ? record.Asked : record.Messages);
        else WriteText(json, record, form);
        json.WriteEndObject();
    });

    /// <summary>Writes the record that was made last.</summary>
    public void WriteLast()
    {
        stream.Write(count++ > 0 ? isArray ? ",\n"u8 : "\n"u8 : isArray ? "[\n"u8 : ""u8);
        stream.Write(line.WrittenSpan);
    }

    /// <summary>Writes what ends the file.</summary>
    public void Finish() => stream.Write(isArray ? "\n]\n"u8 : "\n"u8);

    /// <inheritdoc/>
    public void Dispose() => writer.Dispose();

    private static void WriteText(Utf8JsonWriter json, ConvertedRecord record, RecordForm form)
    {
        json.WriteString("instruction", record.Instruction);
        json.WriteString("input", record.Input);
        if (form == RecordForm.Records) json.WriteString("output", record.Output);
        if (form == RecordForm.Prompts) WriteCategories(json, record.Categories);
        if (form != RecordForm.Pairs) return;
        json.WriteString("harmful", record.Harmful);
        json.WriteString("harmless", record.Output);
    }

    private static void WriteCategories(Utf8JsonWriter json, IReadOnlyList<string> categories)
    {
        if (categories.Count == 0) return;
        json.WriteStartArray("category");
        foreach (string category in categories) json.WriteStringValue(category);
        json.WriteEndArray();
    }

    private static void WriteMessages(Utf8JsonWriter json, IEnumerable<ChatMessage> messages)
    {
        json.WriteStartArray("messages");
        foreach (ChatMessage message in messages)
        {
            json.WriteStartObject();
            json.WriteString("role", message.Role);
            json.WriteString("content", message.Content);
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }
}
