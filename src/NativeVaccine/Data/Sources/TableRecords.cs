using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;
using NativeVaccine.IO;

namespace NativeVaccine.Data.Sources;

/// <summary>
/// Records of a table with its columns' names in the first line: CSV as Python's csv module and so pandas and datasets read it, and TSV. All
/// fields are texts; columns without a name, as an index of rows is written and columns of a sheet that were used once, are not read. The
/// parser is our own, since libraries of .NET pass over a quote that is never closed, or take quotes in the middle of a field for those of
/// RFC 4180, or do not tell the line.
/// </summary>
/// <param name="buffer">The text.</param>
/// <param name="path">The file, for messages.</param>
/// <param name="separator">A comma or tab.</param>
internal sealed class TableRecords(RecordBuffer buffer, string path, byte separator)
{
    private const byte Quote = (byte)'"';
    private const byte LineFeed = (byte)'\n';
    private readonly ArrayBufferWriter<byte> fields = new();
    private readonly List<int> ends = [];

    /// <summary>The records, in the file's order.</summary>
    /// <exception cref="InputException">There is no header, or a quote is never closed.</exception>
    public IEnumerable<SourceRecord> Read()
    {
        string[] columns = ReadHeader();
        var json = new ArrayBufferWriter<byte>();
        int line = buffer.Line;
        for (int? length = NextRow(); length is not null; length = NextRow())
        {
            string where = string.Create(CultureInfo.InvariantCulture, $"{path}:{line}");
            if (Problem(columns, where) is { } problem)
            {
                yield return new SourceRecord(where, default, problem);
            }
            else if (!IsBlank)
            {
                json.ResetWrittenCount();
                Write(columns, json);
                using JsonDocument document = JsonDocument.Parse(json.WrittenMemory);
                yield return new SourceRecord(where, document.RootElement);
            }
            buffer.Advance(length.Value);
            line = buffer.Line;
        }
    }

    private bool IsBlank => ends is [0];

    private string[] ReadHeader()
    {
        if (NextRow() is not { } length || IsBlank) throw new InputException($"{path}: no header: expected the names of the columns in the first line");
        if (!Utf8.IsValid(fields.WrittenSpan)) throw new InputException($"{path}:1: the text is not valid UTF-8");
        string[] columns = [.. Enumerable.Range(0, ends.Count).Select(index => Encoding.UTF8.GetString(FieldAt(index)))];
        if (columns.Where(static name => name.Length > 0).GroupBy(static name => name).FirstOrDefault(static group => group.Count() > 1) is { } twice)
            throw new InputException($"{path}:1: two columns are named {InputText.Quote(twice.Key)}; expected each name once");
        if (columns.Any(static name => name.Replace("\r\n", "", StringComparison.Ordinal).Contains('\r')))
            throw new InputException($"{path}: lines end with a carriage return alone: expected line feeds");
        buffer.Advance(length);
        return columns;
    }

    private ReadOnlySpan<byte> FieldAt(int index) => fields.WrittenSpan[(index == 0 ? 0 : ends[index - 1])..ends[index]];

    private string? Problem(string[] columns, string where)
    {
        if (!Utf8.IsValid(fields.WrittenSpan)) return $"{where}: the text is not valid UTF-8";
        return IsBlank || ends.Count == columns.Length ? null : FormattableString.Invariant(
            $"{where}: {ends.Count} field{(ends.Count == 1 ? "" : "s")}: expected {columns.Length} ({InputText.Some(columns)})");
    }

    private void Write(string[] columns, ArrayBufferWriter<byte> json)
    {
        using var writer = new Utf8JsonWriter(json);
        writer.WriteStartObject();
        for (int i = 0; i < columns.Length; i++)
        {
            if (columns[i].Length > 0) writer.WriteString(columns[i], FieldAt(i));
        }
        writer.WriteEndObject();
    }

    /// <summary>Reads a row into <see cref="fields"/>; gives its length with its line end, or null after the last one.</summary>
    private int? NextRow()
    {
        while (true)
        {
            if (buffer.Unread.IsEmpty && !buffer.Fill()) return null;
            fields.ResetWrittenCount();
            ends.Clear();
            if (TryParse(buffer.Unread.Span, out int length)) return length;
            _ = buffer.Fill();  // where nothing more comes, the same text is parsed as the file's last
        }
    }

    private bool TryParse(ReadOnlySpan<byte> text, out int length)
    {
        int position = 0;
        while (true)
        {
            if (!TryField(text, ref position)) break;
            ends.Add(fields.WrittenCount);
            bool isAtEnd = position == text.Length;
            if (isAtEnd && !buffer.IsFinal) break;
            if (isAtEnd || text[position] != separator)
            {
                length = isAtEnd ? position : position + (text[position] == LineFeed ? 1 : 2);
                return true;
            }
            position++;
        }
        length = 0;
        return false;
    }

    /// <summary>Reads one field, up to what ends it.</summary>
    /// <returns>False if more text is needed.</returns>
    private bool TryField(ReadOnlySpan<byte> text, ref int position)
    {
        if (position < text.Length && text[position] == Quote)
        {
            int start = position;
            int written = fields.WrittenCount;
            if (TryQuoted(text, ref position)) return true;
            if (separator != (byte)'\t') return OpenQuote(text, start);
            // Tables with tabs, as GLUE's, seldom quote: a quote that does not enclose the field is one of the text's.
            position = start;
            Truncate(written);
        }
        int end = EndOfPlain(text[position..]);
        if (end < 0 && !buffer.IsFinal) return false;
        end = end < 0 ? text.Length - position : end;
        fields.Write(text.Slice(position, end));
        position += end;
        return true;
    }

    private bool OpenQuote(ReadOnlySpan<byte> text, int start)
    {
        if (!buffer.IsFinal) return false;
        int line = buffer.Line + text[..start].Count(LineFeed);
        throw new InputException($"{path}:{line}: a quote is opened here and never closed; the file may be cut short");
    }

    /// <summary>Where plain text ends: at a separator, or at a line end of one or two bytes.</summary>
    private int EndOfPlain(ReadOnlySpan<byte> text)
    {
        int end = text.IndexOfAny(separator, LineFeed);
        return end > 0 && text[end] == LineFeed && text[end - 1] == (byte)'\r' ? end - 1 : end;
    }

    private bool TryQuoted(ReadOnlySpan<byte> text, ref int position)
    {
        position++;
        while (true)
        {
            int end = text[position..].IndexOf(Quote);
            bool isOver = end < 0 || (separator == (byte)'\t' && text.Slice(position, end).Contains(LineFeed));
            if (isOver) return false;
            fields.Write(text.Slice(position, end));
            position += end + 1;
            if (position == text.Length) return buffer.IsFinal;
            if (text[position] != Quote) break;
            fields.Write([Quote]);
            position++;
        }
        int rest = EndOfPlain(text[position..]);
        if (rest < 0 && !buffer.IsFinal) return false;
        rest = rest < 0 ? text.Length - position : rest;
        if (separator == (byte)'\t' && rest > 0) return false;
        fields.Write(text.Slice(position, rest));
        position += rest;
        return true;
    }

    private void Truncate(int count)
    {
        byte[] kept = fields.WrittenSpan[..count].ToArray();
        fields.ResetWrittenCount();
        fields.Write(kept);
    }
}
