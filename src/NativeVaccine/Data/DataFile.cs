using System.Globalization;
using System.Text.Json;
using System.Text.Unicode;
using NativeVaccine.IO;

namespace NativeVaccine.Data;

/// <summary>How the items of a file lie in it.</summary>
internal enum DataForm
{
    /// <summary>A JSON array of them (.json).</summary>
    Array,

    /// <summary>JSON, one a line (.jsonl).</summary>
    JsonLines,

    /// <summary>Text, one a line (any other name).</summary>
    TextLines,
}

/// <summary>Files of records or prompts: which form one has, by its name, and its items. Every verb takes the same name for the same form.</summary>
internal static class DataFile
{
    /// <summary>What people have, and what is not read: never to be taken for lines of text.</summary>
    private static readonly string[] ReadElsewhere =
    [
        ".csv", ".tsv", ".parquet", ".arrow", ".feather", ".gz", ".xz", ".zst", ".bz2", ".zip", ".tar", ".7z", ".xlsx", ".ods", ".npy",
        ".npz", ".pkl", ".pickle", ".pt", ".bin", ".safetensors", ".pdf", ".yaml", ".yml", ".xml", ".html", ".db", ".sqlite",
    ];

    /// <summary>The form of a file.</summary>
    /// <param name="path">Its name.</param>
    /// <param name="what">What is in it, for messages: "records", "prompts".</param>
    /// <param name="orText">Whether any other name means lines of text.</param>
    /// <exception cref="InputException">The name is that of another kind of file.</exception>
    public static DataForm FormOf(string path, string what, bool orText)
    {
        string extension = Path.GetExtension(path).ToLowerInvariant();
        return extension switch
        {
            ".json" => DataForm.Array,
            ".jsonl" => DataForm.JsonLines,
            _ when orText && !ReadElsewhere.Contains(extension) => DataForm.TextLines,
            _ => throw new InputException(
                $"{path}: {(extension.Length == 0 ? "unknown kind of data" : $"{extension} files are not read")}: "
                + $"expected .json (an array of {what}) or .jsonl (JSON, one a line){(orText ? ", or text, one a line" : "")}"),
        };
    }

    /// <summary>Refuses what is no UTF-8 text, and says what it is, beyond what <see cref="InputFile"/> knows of any file.</summary>
    /// <exception cref="InputException">It is not.</exception>
    public static void RequireText(ReadOnlySpan<byte> content, string source)
    {
        string? found = content switch
        {
            [0xff, 0xfe, ..] or [0xfe, 0xff, ..] => "UTF-16 text",
            [0xfd, (byte)'7', (byte)'z', (byte)'X', (byte)'Z', ..] => "compressed (xz)",
            [0x28, 0xb5, 0x2f, 0xfd, ..] => "compressed (zstd)",
            [(byte)'P', (byte)'A', (byte)'R', (byte)'1', ..] => "a Parquet file",
            _ when IsWideText(content) => "UTF-16 text",
            _ when content.Contains((byte)0) => "a binary file",
            _ => null,
        };
        if (found is not null) throw new InputException($"{source}: is {found}: expected UTF-8 text");
    }

    /// <summary>Goes through the JSON items of a file.</summary>
    /// <param name="utf8">Its content.</param>
    /// <param name="source">Its name, for messages.</param>
    /// <param name="form">An array, or JSON lines.</param>
    /// <param name="item">What an item is called in messages: "record", "prompt".</param>
    /// <param name="take">Given each item, and where it is.</param>
    /// <exception cref="InputException">It is not of this form.</exception>
    public static void EachItem(ReadOnlyMemory<byte> utf8, string source, DataForm form, string item, Action<JsonElement, string> take)
    {
        RequireText(utf8.Span, source);
        if (form == DataForm.JsonLines) EachLine(utf8, source, take);
        else EachElement(utf8, source, item, take);
    }

    /// <summary>The lines of a text, without blank ones.</summary>
    /// <exception cref="InputException">It is no UTF-8 text, or JSON lines under another name.</exception>
    public static IEnumerable<string> TextLines(ReadOnlyMemory<byte> utf8, string source)
    {
        RequireText(utf8.Span, source);
        if (!Utf8.IsValid(utf8.Span))
            throw new InputException($"{source}: not valid UTF-8 text: expected a prompt a line");
        if (BeginsWithJsonObject(utf8))
            throw new InputException($"{source}: its first line is a JSON object: expected the name to end in .jsonl if these are records");
        return JsonFile.Lines(utf8).Select(static line => System.Text.Encoding.UTF8.GetString(line.Text.Span).TrimEnd('\r'));
    }

    private static void EachLine(ReadOnlyMemory<byte> utf8, string source, Action<JsonElement, string> take)
    {
        foreach ((int number, ReadOnlyMemory<byte> text) in JsonFile.Lines(utf8))
        {
            using JsonDocument document = JsonFile.Parse(text, source, number);
            take(document.RootElement, string.Create(CultureInfo.InvariantCulture, $"{source}:{number}"));
        }
    }

    private static void EachElement(ReadOnlyMemory<byte> utf8, string source, string item, Action<JsonElement, string> take)
    {
        using JsonDocument document = ParseArray(utf8, source);
        if (document.RootElement.ValueKind != JsonValueKind.Array)
            throw new InputException($"{source}: found {JsonRecord.Describe(document.RootElement)}: expected an array of {item}s");
        int index = 0;
        foreach (JsonElement element in document.RootElement.EnumerateArray())
            take(element, string.Create(CultureInfo.InvariantCulture, $"{source}: {item} {index++}"));
    }

    private static JsonDocument ParseArray(ReadOnlyMemory<byte> utf8, string source)
    {
        try
        {
            return JsonFile.Parse(utf8, source);
        }
        catch (InputException) when (JsonFile.Lines(utf8).Skip(1).Any() && BeginsWithJsonObject(utf8))
        {
            throw new InputException($"{source}: holds JSON lines: expected an array, or a name that ends in .jsonl");
        }
    }

    private static bool BeginsWithJsonObject(ReadOnlyMemory<byte> utf8)
    {
        ReadOnlyMemory<byte> line = JsonFile.Lines(utf8).FirstOrDefault().Text;
        if (!line.Span.TrimStart(" \t"u8).StartsWith("{"u8)) return false;
        try
        {
            using JsonDocument document = JsonDocument.Parse(line);
            return document.RootElement.ValueKind == JsonValueKind.Object;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    /// <summary>UTF-16 without a mark: every other byte of its beginning is 0.</summary>
    private static bool IsWideText(ReadOnlySpan<byte> content) =>
        content is [0, not 0, 0, not 0, ..] or [not 0, 0, not 0, 0, ..];
}
