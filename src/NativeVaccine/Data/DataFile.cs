using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;
using NativeVaccine.IO;

namespace NativeVaccine.Data;

/// <summary>How the items of a file lie in it.</summary>
internal enum DataForm
{
    /// <summary>A JSON array of them (.json).</summary>
    Array,

    /// <summary>JSON, one a line (.jsonl, .ndjson).</summary>
    JsonLines,

    /// <summary>Text, one a line (any other name).</summary>
    TextLines,
}

/// <summary>
/// Files of records or prompts: which form one has, by its name, or by its content where the name has no suffix (a pipe's has none), and its
/// items. Every verb takes the same name for the same form.
/// </summary>
internal static class DataFile
{
    /// <summary>What people have, and what is not read: never to be taken for lines of text.</summary>
    private static readonly string[] ReadElsewhere =
    [
        ".csv", ".tsv", ".parquet", ".arrow", ".feather", ".gz", ".xz", ".zst", ".bz2", ".zip", ".tar", ".7z", ".xlsx", ".ods", ".npy",
        ".npz", ".pkl", ".pickle", ".pt", ".bin", ".safetensors", ".pdf", ".yaml", ".yml", ".xml", ".html", ".db", ".sqlite",
    ];

    /// <summary>Reads a file whose name is not that of another kind of file, and says which form it has.</summary>
    /// <param name="path">Its name.</param>
    /// <param name="what">What is in it, for messages: "records", "prompts".</param>
    /// <param name="orText">Whether it may be lines of text.</param>
    /// <exception cref="InputException">It cannot be read, or has another form.</exception>
    public static (ReadOnlyMemory<byte> Content, DataForm Form) Read(string path, string what, bool orText)
    {
        _ = FormByName(path, what, orText);  // before a large file is read for nothing
        ReadOnlyMemory<byte> content = InputFile.ReadText(path);
        return (content, FormOf(path, content, what, orText));
    }

    /// <summary>The form of a file.</summary>
    /// <param name="path">Its name.</param>
    /// <param name="content">What is in it; looked at where the name has no suffix.</param>
    /// <param name="what">What that is, for messages: "records", "prompts".</param>
    /// <param name="orText">Whether it may be lines of text.</param>
    /// <exception cref="InputException">It is another kind of file.</exception>
    public static DataForm FormOf(string path, ReadOnlyMemory<byte> content, string what, bool orText) =>
        FormByName(path, what, orText) ?? FormByContent(path, content, what, orText);

    /// <summary>Null where the name does not say.</summary>
    private static DataForm? FormByName(string path, string what, bool orText)
    {
        string extension = Path.GetExtension(path).ToLowerInvariant();
        return extension switch
        {
            "" => null,
            ".json" => DataForm.Array,
            ".jsonl" or ".ndjson" => DataForm.JsonLines,
            _ when orText && !ReadElsewhere.Contains(extension) => DataForm.TextLines,
            ".parquet" or ".csv" or ".tsv" or ".gz" or ".xz" => throw new InputException(
                $"{path}: {extension} files are not read: expected {Expected(what, orText)}; {Maker(orText)}"),
            _ => throw new InputException($"{path}: {extension} files are not read: expected {Expected(what, orText)}"),
        };
    }

    private static DataForm FormByContent(string path, ReadOnlyMemory<byte> content, string what, bool orText)
    {
        RequireText(content.Span, path);
        ReadOnlySpan<byte> text = content.Span.TrimStart(" \t\r\n"u8);
        if (IsArray(text)) return DataForm.Array;
        if (FirstLineIs(content, JsonValueKind.Object) || (orText && FirstLineIs(content, JsonValueKind.String))) return DataForm.JsonLines;
        if (orText) return DataForm.TextLines;
        // An object over several lines: a result, or what the reader of arrays says is none.
        if (text.StartsWith("{"u8) || text.IsEmpty) return DataForm.Array;
        throw new InputException($"{path}: unknown kind of data: expected {Expected(what, orText)}");
    }

    private static string Expected(string what, bool orText) =>
        $".json (an array of {what}) or .jsonl (JSON, one a line){(orText ? ", or text, one a line" : "")}";

    private static string Maker(bool orText) =>
        orText ? "nvaccine data prompts makes them of tables" : "nvaccine data makes records of the files of data sets";

    /// <summary>Text may begin with a bracket, too: [INST].</summary>
    private static bool IsArray(ReadOnlySpan<byte> text) =>
        text.StartsWith("["u8) && text[1..].TrimStart(" \t\r\n"u8) is [(byte)'{' or (byte)'"' or (byte)']', ..];

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
    /// <param name="utf8">The content of a file.</param>
    /// <param name="source">Its name, for messages.</param>
    /// <param name="notice">Told in a line how many lines of white space were left out; nobody wonders about empty ones.</param>
    /// <exception cref="InputException">It is no UTF-8 text, or JSON lines or a table under another name.</exception>
    public static List<string> TextLines(ReadOnlyMemory<byte> utf8, string source, Action<string>? notice)
    {
        RequireText(utf8.Span, source);
        if (!Utf8.IsValid(utf8.Span))
            throw new InputException($"{source}: not valid UTF-8 text: expected a prompt a line");
        if (FirstLineIs(utf8, JsonValueKind.Object))
            throw new InputException($"{source}: its first line is a JSON object: expected the name to end in .jsonl if these are records");
        string[] all = [.. Encoding.UTF8.GetString(utf8.Span).Split('\n').Select(static line => line.TrimEnd('\r'))];
        List<string> lines = [.. all.Where(static line => !string.IsNullOrWhiteSpace(line))];
        if (lines is [var first, ..] && TableHeader.Is(first))
        {
            throw new InputException(
                $"{source}: its first line, {InputText.Quote(first)}, names the columns of a table, which is not read: expected text, one a line");
        }
        int blank = all.Count(static line => line.Length > 0) - lines.Count;
        if (blank > 0) notice?.Invoke(FormattableString.Invariant($"lines that hold only white space and were left out: {blank}"));
        return lines;
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
        catch (InputException) when (JsonFile.Lines(utf8).Skip(1).Any() && FirstLineIs(utf8, JsonValueKind.Object))
        {
            throw new InputException($"{source}: holds JSON lines: expected an array, or a name that ends in .jsonl");
        }
    }

    /// <summary>Whether the first line that is not blank is a JSON object by itself.</summary>
    internal static bool IsFirstLineAnObject(ReadOnlyMemory<byte> utf8) => FirstLineIs(utf8, JsonValueKind.Object);

    private static bool FirstLineIs(ReadOnlyMemory<byte> utf8, JsonValueKind kind)
    {
        ReadOnlyMemory<byte> line = JsonFile.Lines(utf8).FirstOrDefault().Text;
        if (line.Span.TrimStart(" \t"u8) is not [(byte)'{' or (byte)'"', ..]) return false;
        try
        {
            using JsonDocument document = JsonDocument.Parse(line);
            return document.RootElement.ValueKind == kind;
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
