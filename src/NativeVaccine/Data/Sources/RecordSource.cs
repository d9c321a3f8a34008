using NativeVaccine.IO;

namespace NativeVaccine.Data.Sources;

/// <summary>
/// The records of a file, or of the files of a folder one after another: Parquet, a JSON array, JSON lines, CSV and TSV, the texts also packed
/// by gzip or xz. One record is in memory at a time (of Parquet a thousand).
/// </summary>
/// <param name="files">The files.</param>
internal sealed class RecordSource(IReadOnlyList<string> files)
{
    private static readonly byte[] ParquetMagic = "PAR1"u8.ToArray();

    /// <summary>The source for a path.</summary>
    /// <param name="path">A file, or a folder.</param>
    /// <param name="split">Which files of a folder; null where they have one split.</param>
    /// <param name="notice">Told in a line what is left out or missing.</param>
    /// <exception cref="InputException">Nothing is there, or not what was asked for.</exception>
    public static RecordSource Open(string path, string? split, Action<string> notice) => new(DataShards.Find(path, split, notice));

    /// <summary>The files, in the order in which they are read.</summary>
    public IReadOnlyList<string> Files => files;

    /// <summary>The records, in the order of the files.</summary>
    /// <param name="progress">Told the share of the files that is read, and in which of them.</param>
    /// <exception cref="InputException">A file cannot be read to its end.</exception>
    public IEnumerable<SourceRecord> Read(Action<double, string>? progress = null)
    {
        for (int i = 0; i < files.Count; i++)
        {
            int number = i;
            foreach (SourceRecord record in ReadFile(files[i], share => progress?.Invoke((number + share) / files.Count, Path.GetFileName(files[number]))))
                yield return record;
        }
    }

    private static IEnumerable<SourceRecord> ReadFile(string path, Action<double> progress)
    {
        using FileStream file = InputFile.OpenStream(path, out byte[] head);
        string kind = Path.GetExtension(Decompression.NameInside(path)).ToLowerInvariant();
        bool isParquet = head.AsSpan().StartsWith(ParquetMagic);
        if (!isParquet && kind == ".parquet") throw new InputException($"{path}: is no Parquet file: expected it to begin with PAR1");
        foreach (SourceRecord record in isParquet ? ParquetRecords.Read(path, progress) : ReadText(file, path, kind, head, progress))
            yield return record;
    }

    private static IEnumerable<SourceRecord> ReadText(FileStream file, string path, string kind, byte[] head, Action<double> progress)
    {
        using Stream text = Decompression.Open(file, head);
        var buffer = new RecordBuffer(text, path);
        do _ = buffer.Fill();
        while (!buffer.IsFinal && !buffer.Unread.Span.Contains((byte)'\n'));
        if (buffer.Unread.Span.StartsWith((ReadOnlySpan<byte>)[0xEF, 0xBB, 0xBF])) buffer.Advance(3);
        DataFile.RequireText(buffer.Unread.Span, path);
        long length = file.CanSeek ? Math.Max(1, file.Length) : 0;
        foreach (SourceRecord record in RecordsOf(buffer, path, kind))
        {
            if (length > 0) progress((double)file.Position / length);
            yield return record;
        }
    }

    private static IEnumerable<SourceRecord> RecordsOf(RecordBuffer buffer, string path, string kind)
    {
        ReadOnlySpan<byte> text = buffer.Unread.Span.TrimStart(" \t\r\n"u8);
        if (text.IsEmpty) throw new InputException($"{path}: is empty");
        return kind switch
        {
            ".csv" => new TableRecords(buffer, path, (byte)',').Read(),
            ".tsv" => new TableRecords(buffer, path, (byte)'\t').Read(),
            ".jsonl" or ".ndjson" => TextRecords.Lines(buffer, path),
            // Many files named .json are lines of JSON, which datasets reads as such.
            ".json" or "" when text[0] == (byte)'[' => TextRecords.Elements(buffer, path),
            ".json" or "" when text[0] == (byte)'{' && DataFile.IsFirstLineAnObject(buffer.Unread) => TextRecords.Lines(buffer, path),
            ".json" or "" => throw new InputException($"{path}: expected an array of records, or a record a line"),
            _ => throw new InputException($"{path}: {kind} files are not read: expected .parquet, .json, .jsonl, .csv or .tsv (text may be packed: .gz, .xz)"),
        };
    }
}
