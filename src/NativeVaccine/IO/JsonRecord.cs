using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;

namespace NativeVaccine.Data;

/// <summary>
/// Reads JSON that came from outside. Whatever is wrong with it becomes an <see cref="InputException"/> that names file and line, and the
/// strings of a document that was read are known to be valid text.
/// </summary>
internal static class JsonInput
{
    private const int LongestExcerpt = 160;

    private static ReadOnlySpan<byte> ByteOrderMark => [0xEF, 0xBB, 0xBF];

    /// <summary>The bytes of a file, without a byte order mark.</summary>
    public static ReadOnlyMemory<byte> ReadFile(string path)
    {
        try
        {
            ReadOnlyMemory<byte> bytes = File.ReadAllBytes(path);
            return bytes.Span.StartsWith(ByteOrderMark) ? bytes[ByteOrderMark.Length..] : bytes;
        }
        catch (Exception exception)
            when (exception is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            throw new InputException($"{path}: cannot be read: {exception.Message}", exception);
        }
    }

    /// <summary>Parses one JSON value that fills <paramref name="utf8"/>.</summary>
    /// <param name="utf8">The text.</param>
    /// <param name="source">The file, for messages.</param>
    /// <param name="firstLine">The line of the file at which the text begins, from 1.</param>
    public static JsonDocument Parse(ReadOnlyMemory<byte> utf8, string source, int firstLine = 1)
    {
        if (!Utf8.IsValid(utf8.Span))
            throw new InputException($"{source}:{firstLine}: not valid UTF-8 text: expected JSON");
        try
        {
            RequireValidEscapes(utf8.Span, source, firstLine);
            return JsonDocument.Parse(utf8);
        }
        catch (JsonException exception)
        {
            long line = firstLine + (exception.LineNumber ?? 0);
            throw new InputException($"{source}:{line}: broken JSON: {Reason(exception)}", exception);
        }
    }

    /// <summary>The lines of <paramref name="utf8"/> that are not blank, with their numbers from 1.</summary>
    public static IEnumerable<(int Number, ReadOnlyMemory<byte> Text)> Lines(ReadOnlyMemory<byte> utf8)
    {
        int number = 0;
        while (!utf8.IsEmpty)
        {
            number++;
            int end = utf8.Span.IndexOf((byte)'\n');
            ReadOnlyMemory<byte> line = end < 0 ? utf8 : utf8[..end];
            utf8 = end < 0 ? default : utf8[(end + 1)..];
            if (line.Span.ContainsAnyExcept(" \t\r"u8))
                yield return (number, line);
        }
    }

    /// <summary>A field of a record, or null when it is absent or null.</summary>
    public static JsonElement? Optional(JsonElement record, string field) =>
        record.TryGetProperty(field, out JsonElement value) && value.ValueKind != JsonValueKind.Null ? value : null;

    /// <summary>A field of a record that must be there.</summary>
    public static JsonElement Required(JsonElement record, string field, string where) =>
        Optional(record, field) ?? throw new InputException($"{where}: field '{field}' is missing");

    /// <summary>A text field of a record, or null when it is absent or null.</summary>
    public static string? OptionalText(JsonElement record, string field, string where) =>
        Optional(record, field) is { } value ? Text(value, field, where) : null;

    /// <summary>A text field of a record that must be there.</summary>
    public static string RequiredText(JsonElement record, string field, string where) => Text(Required(record, field, where), field, where);

    /// <summary>The whole numbers of an array.</summary>
    public static int[] Integers(JsonElement value, string field, string where)
    {
        if (value.ValueKind != JsonValueKind.Array)
            throw new InputException($"{where}: field '{field}' is {Describe(value)}: expected an array of whole numbers");
        int[] numbers = new int[value.GetArrayLength()];
        int count = 0;
        foreach (JsonElement item in value.EnumerateArray())
        {
            if (item.ValueKind != JsonValueKind.Number || !item.TryGetInt32(out numbers[count]))
                throw new InputException($"{where}: field '{field}'[{count}] is {Describe(item)}: expected a whole number");
            count++;
        }

        return numbers;
    }

    /// <summary>Refuses anything but a JSON object.</summary>
    public static void RequireObject(JsonElement value, string where)
    {
        if (value.ValueKind != JsonValueKind.Object)
            throw new InputException($"{where}: found {Describe(value)}: expected an object");
    }

    /// <summary>What a value is, for a message: its kind, and its text where that is short.</summary>
    public static string Describe(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "an array",
        JsonValueKind.String => "a string",
        _ => value.GetRawText() is { Length: <= LongestExcerpt } text ? text : "a long number",
    };

    /// <summary>Foreign text for a message: on one line, and not long.</summary>
    public static string Excerpt(string text)
    {
        var excerpt = new StringBuilder();
        foreach (char character in text.AsSpan(0, Math.Min(text.Length, LongestExcerpt)))
        {
            if (char.IsControl(character) || character is '\u2028' or '\u2029')
                excerpt.Append(CultureInfo.InvariantCulture, $"\\u{(int)character:x4}");
            else
                excerpt.Append(character);
        }

        return excerpt.Append(text.Length > LongestExcerpt ? "..." : "").ToString();
    }

    private static string Text(JsonElement value, string field, string where) =>
        value.ValueKind == JsonValueKind.String
            ? value.GetString()!
            : throw new InputException($"{where}: field '{field}' is {Describe(value)}: expected a string");

    /// <summary>
    /// A \u escape can spell half of a surrogate pair, which is no text; JsonElement would throw only when the string is asked for.
    /// </summary>
    private static void RequireValidEscapes(ReadOnlySpan<byte> utf8, string source, int firstLine)
    {
        if (utf8.IndexOf("\\u"u8) < 0)
            return;
        var reader = new Utf8JsonReader(utf8);
        while (reader.Read())
        {
            if (reader.TokenType is not (JsonTokenType.String or JsonTokenType.PropertyName) || !reader.ValueIsEscaped)
                continue;
            try
            {
                reader.GetString();
            }
            catch (InvalidOperationException exception)
            {
                int line = firstLine + utf8[..(int)reader.TokenStartIndex].Count((byte)'\n');
                throw new InputException(
                    $"{source}:{line}: a string has half of a surrogate pair (\\u escape): expected valid text", exception);
            }
        }
    }

    /// <summary>The message without the position that JsonException appends, which counts from 0.</summary>
    private static string Reason(JsonException exception)
    {
        string message = exception.Message;
        int position = message.IndexOf(" LineNumber:", StringComparison.Ordinal);
        string column = exception.BytePositionInLine is { } byteInLine
            ? string.Create(CultureInfo.InvariantCulture, $" (byte {byteInLine + 1} of the line)")
            : "";
        return Excerpt(position < 0 ? message : message[..position]) + column;
    }
}
