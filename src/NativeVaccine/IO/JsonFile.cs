using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;

namespace NativeVaccine.IO;

/// <summary>
/// Parses JSON that a user gave. Broken JSON becomes one line with file and line. What it accepts is safe to walk: valid UTF-8,
/// no lone surrogates, no key twice in one object (programs disagree on which one counts), bounded depth.
/// </summary>
public static class JsonFile
{
    /// <summary>Configuration files are a few kilobytes; an index of a very large model is a few megabytes.</summary>
    public const int DefaultMaximumBytes = 64 << 20;

    /// <summary>Reads and parses a file whose top is an object. Dispose the result.</summary>
    /// <exception cref="InputException">Missing, too long, or not such JSON.</exception>
    public static JsonDocument ReadObject(string path, int maximumBytes = DefaultMaximumBytes) =>
        ParseObject(InputFile.ReadAllBytes(path, maximumBytes), path);

    /// <summary>Parses bytes whose top is an object; <paramref name="file"/> is only for messages. Dispose the result.</summary>
    /// <exception cref="InputException">Not such JSON.</exception>
    public static JsonDocument ParseObject(ReadOnlyMemory<byte> bytes, string file)
    {
        JsonDocument document = Parse(bytes, file);
        if (document.RootElement.ValueKind == JsonValueKind.Object) return document;
        string found = JsonRecord.Describe(document.RootElement);
        document.Dispose();
        throw new InputException($"{file}:1: is {found}; expected a JSON object, begun with '{{'");
    }

    /// <summary>Parses one JSON value. Dispose the result.</summary>
    /// <param name="bytes">The text.</param>
    /// <param name="file">The file, for messages.</param>
    /// <param name="firstLine">The line of the file at which the text begins, from 1, for messages.</param>
    /// <exception cref="InputException">Not JSON; the message has the line.</exception>
    public static JsonDocument Parse(ReadOnlyMemory<byte> bytes, string file, int firstLine = 1)
    {
        bytes = InputText.WithoutMark(bytes);
        if (!Utf8.IsValid(bytes.Span)) throw Broken(file, firstLine + LinesBeforeInvalidUtf8(bytes.Span), "the text is not valid UTF-8");
        RequireReadableStrings(bytes.Span, file, firstLine);
        try
        {
            return JsonDocument.Parse(bytes, new JsonDocumentOptions { AllowDuplicateProperties = false });
        }
        catch (JsonException exception)
        {
            // Of a key that is there twice the runtime does not say the line; a text of one line has only one.
            long? lines = exception.LineNumber ?? (bytes.Span.Contains((byte)'\n') ? null : 0);
            throw Broken(file, firstLine + lines, Reason(exception), exception);
        }
    }

    /// <summary>The lines of a text that are not blank, with their numbers from 1.</summary>
    public static IEnumerable<(int Number, ReadOnlyMemory<byte> Text)> Lines(ReadOnlyMemory<byte> utf8)
    {
        int number = 0;
        while (!utf8.IsEmpty)
        {
            number++;
            int end = utf8.Span.IndexOf((byte)'\n');
            ReadOnlyMemory<byte> line = end < 0 ? utf8 : utf8[..end];
            utf8 = end < 0 ? default : utf8[(end + 1)..];
            if (line.Span.ContainsAnyExcept(" \t\r"u8)) yield return (number, line);
        }
    }

    /// <summary>
    /// Looks at every string with an escape: <c>"\ud800"</c> is well-formed JSON but no text, and would throw wherever it is read later.
    /// </summary>
    private static void RequireReadableStrings(ReadOnlySpan<byte> bytes, string file, int firstLine)
    {
        if (bytes.IndexOf("\\u"u8) < 0) return;
        var reader = new Utf8JsonReader(bytes);
        try
        {
            while (reader.Read())
            {
                if (reader.TokenType is JsonTokenType.String or JsonTokenType.PropertyName && reader.ValueIsEscaped) reader.GetString();
            }
        }
        catch (JsonException exception)
        {
            throw Broken(file, firstLine + exception.LineNumber, Reason(exception), exception);
        }
        catch (InvalidOperationException exception)
        {
            int line = firstLine + LinesBefore(bytes, (int)reader.TokenStartIndex);
            throw new InputException(
                $"{At(file, line)}: a string has half of a surrogate pair (\\u escape): expected valid text", exception);
        }
    }

    /// <summary>The refusal of a file of which this is not JSON; lines are counted from where the reader began.</summary>
    internal static InputException Broken(string file, JsonException exception) =>
        Broken(file, 1 + exception.LineNumber, Reason(exception), exception);

    private static InputException Broken(string file, long? line, string what, Exception? cause = null) =>
        new($"{At(file, line)}: broken JSON: {what}", cause!);

    private static string At(string file, long? line) =>
        line is null ? file : string.Create(CultureInfo.InvariantCulture, $"{file}:{line}");

    /// <summary>The runtime appends "LineNumber: 3 | BytePositionInLine: 7.", counted from 0; both are told in our own words.</summary>
    private static string Reason(JsonException exception)
    {
        int position = exception.Message.IndexOf(" LineNumber:", StringComparison.Ordinal);
        string column = exception.BytePositionInLine is { } byteInLine
            ? string.Create(CultureInfo.InvariantCulture, $" (byte {byteInLine + 1} of the line)")
            : "";
        return InputText.OneLine(position < 0 ? exception.Message : exception.Message[..position]) + column;
    }

    private static int LinesBeforeInvalidUtf8(ReadOnlySpan<byte> bytes)
    {
        int position = 0;
        while (Rune.DecodeFromUtf8(bytes[position..], out _, out int length) == System.Buffers.OperationStatus.Done) position += length;
        return LinesBefore(bytes, position);
    }

    private static int LinesBefore(ReadOnlySpan<byte> bytes, int position) => bytes[..position].Count((byte)'\n');
}
