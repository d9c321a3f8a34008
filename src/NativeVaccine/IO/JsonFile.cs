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
        document.Dispose();
        throw new InputException($"{file}: line 1: expected a JSON object, begun with '{{'");
    }

    /// <summary>Parses one JSON value; <paramref name="file"/> is only for messages. Dispose the result.</summary>
    /// <exception cref="InputException">Not JSON; the message has the line.</exception>
    public static JsonDocument Parse(ReadOnlyMemory<byte> bytes, string file)
    {
        if (bytes.Span.StartsWith(Encoding.UTF8.Preamble)) bytes = bytes[Encoding.UTF8.Preamble.Length..];
        if (!Utf8.IsValid(bytes.Span)) throw Broken(file, LineOfInvalidUtf8(bytes.Span), "the text is not valid UTF-8");
        RequireReadableStrings(bytes.Span, file);
        try
        {
            return JsonDocument.Parse(bytes, new JsonDocumentOptions { AllowDuplicateProperties = false });
        }
        catch (JsonException exception)
        {
            throw Broken(file, exception.LineNumber + 1, WithoutPosition(exception.Message), exception);
        }
    }

    /// <summary>
    /// Looks at every string with an escape: <c>"\ud800"</c> is well-formed JSON but no text, and would throw wherever it is read later.
    /// </summary>
    private static void RequireReadableStrings(ReadOnlySpan<byte> bytes, string file)
    {
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
            throw Broken(file, exception.LineNumber + 1, WithoutPosition(exception.Message), exception);
        }
        catch (InvalidOperationException exception)
        {
            throw Broken(file, LineAt(bytes, (int)reader.TokenStartIndex), "a string holds half of a surrogate pair", exception);
        }
    }

    private static InputException Broken(string file, long? line, string what, Exception? cause = null)
    {
        string where = line is null ? file : string.Create(CultureInfo.InvariantCulture, $"{file}: line {line}");
        return new InputException($"{where}: not valid JSON: {InputText.OneLine(what)}", cause!);
    }

    /// <summary>The runtime appends "LineNumber: 3 | BytePositionInLine: 7.", counted from 0; the line is told in our own words.</summary>
    private static string WithoutPosition(string message)
    {
        int position = message.IndexOf(" LineNumber:", StringComparison.Ordinal);
        return position < 0 ? message : message[..position];
    }

    private static int LineOfInvalidUtf8(ReadOnlySpan<byte> bytes)
    {
        int position = 0;
        while (Rune.DecodeFromUtf8(bytes[position..], out _, out int length) == System.Buffers.OperationStatus.Done) position += length;
        return LineAt(bytes, position);
    }

    private static int LineAt(ReadOnlySpan<byte> bytes, int position) => 1 + bytes[..position].Count((byte)'\n');
}
