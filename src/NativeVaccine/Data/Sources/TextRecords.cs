using System.Globalization;
using System.Text.Json;
using NativeVaccine.IO;

namespace NativeVaccine.Data.Sources;

/// <summary>Records of JSON: one a line, or the elements of an array, which is read piece by piece.</summary>
internal static class TextRecords
{
    /// <summary>A record a line; blank lines are passed over, a line that is no record is a problem of its own.</summary>
    public static IEnumerable<SourceRecord> Lines(RecordBuffer buffer, string path)
    {
        while (NextLine(buffer) is { } line)
        {
            if (line.Span.ContainsAnyExcept(" \t\r\n"u8))
            {
                (JsonDocument? document, SourceRecord record) = Parse(WithoutEnd(line), path, buffer.Line);
                using (document) yield return record;
            }
            buffer.Advance(line.Length);
        }
    }

    /// <summary>The elements of an array.</summary>
    public static IEnumerable<SourceRecord> Elements(RecordBuffer buffer, string path)
    {
        var state = new JsonReaderState();
        bool isInside = false;
        while (NextElement(buffer, path, ref state, ref isInside) is { } element)
        {
            int line = buffer.Line + buffer.Unread.Span[..element.Start.Value].Count((byte)'\n');
            (JsonDocument? document, SourceRecord record) = Parse(buffer.Unread[element], path, line);
            using (document) yield return record;
            buffer.Advance(element.End.Value);
        }
        RequireEnd(buffer, path);
    }

    private static (JsonDocument? Document, SourceRecord Record) Parse(ReadOnlyMemory<byte> text, string path, int line)
    {
        string where = string.Create(CultureInfo.InvariantCulture, $"{path}:{line}");
        try
        {
            JsonDocument document = JsonFile.Parse(text, path, line);
            return (document, new SourceRecord(where, document.RootElement));
        }
        catch (InputException exception)
        {
            // Of a field that is there twice the runtime does not tell the line.
            string message = exception.Message.StartsWith($"{path}: ", StringComparison.Ordinal) ? $"{where}{exception.Message[path.Length..]}" : exception.Message;
            return (null, new SourceRecord(where, default, message));
        }
    }

    private static ReadOnlyMemory<byte> WithoutEnd(ReadOnlyMemory<byte> line) => line[..line.Span.TrimEnd("\r\n"u8).Length];

    /// <summary>The next line with its end; null after the last one.</summary>
    private static ReadOnlyMemory<byte>? NextLine(RecordBuffer buffer)
    {
        int searched = 0;
        while (true)
        {
            int end = buffer.Unread.Span[searched..].IndexOf((byte)'\n');
            if (end >= 0) return buffer.Unread[..(searched + end + 1)];
            searched = buffer.Unread.Length;
            if (!buffer.Fill()) return searched == 0 ? default(ReadOnlyMemory<byte>?) : buffer.Unread;
        }
    }

    /// <summary>Where the next element lies in what is not taken; null at the end of the array.</summary>
    private static Range? NextElement(RecordBuffer buffer, string path, ref JsonReaderState state, ref bool isInside)
    {
        while (true)
        {
            var reader = new Utf8JsonReader(buffer.Unread.Span, buffer.IsFinal, state);
            try
            {
                if (reader.Read())
                {
                    if (!isInside)
                    {
                        if (reader.TokenType != JsonTokenType.StartArray) throw new InputException($"{path}: expected an array of records");
                        isInside = true;
                        state = reader.CurrentState;
                        buffer.Advance((int)reader.BytesConsumed);
                        continue;
                    }
                    if (reader.TokenType == JsonTokenType.EndArray)
                    {
                        buffer.Advance((int)reader.BytesConsumed);
                        return null;
                    }
                    int start = (int)reader.TokenStartIndex;
                    if (reader.TrySkip())
                    {
                        state = reader.CurrentState;
                        return start..(int)reader.BytesConsumed;
                    }
                }
            }
            catch (JsonException exception)
            {
                throw JsonFile.Broken(path, exception);
            }
            // At the end of the file the reader itself refuses what is not complete.
            _ = buffer.Fill();
        }
    }

    private static void RequireEnd(RecordBuffer buffer, string path)
    {
        do
        {
            int text = buffer.Unread.Span.IndexOfAnyExcept(" \t\r\n"u8);
            buffer.Advance(text < 0 ? buffer.Unread.Length : text);
            if (text >= 0) throw new InputException($"{path}:{buffer.Line}: text after the end of the array; expected one array");
        }
        while (buffer.Fill());
    }
}
