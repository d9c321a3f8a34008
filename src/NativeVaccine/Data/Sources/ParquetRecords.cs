using System.Buffers;
using System.Globalization;
using System.Text.Json;
using Apache.Arrow.Ipc;
using NativeVaccine.IO;
using ParquetSharp;
using ParquetSharp.Arrow;
using ArrowBatch = Apache.Arrow.RecordBatch;

namespace NativeVaccine.Data.Sources;

/// <summary>
/// Records of a Parquet file, read a thousand rows at a time. By ParquetSharp, which is Arrow's own C++ reader (the one behind pyarrow and so
/// behind datasets): it reads every page kind, encoding and codec, lists and structs in pages of version 2 among them, at which Parquet.Net
/// 6.1 gives up, and it does so in batches where Parquet.Net holds whole column chunks.
/// </summary>
internal static class ParquetRecords
{
    private const int RowsPerBatch = 1000;

    /// <summary>The rows, in the file's order.</summary>
    /// <param name="path">The file.</param>
    /// <param name="progress">Told the share that is read.</param>
    /// <exception cref="InputException">It is no Parquet file, or damaged.</exception>
    public static IEnumerable<SourceRecord> Read(string path, Action<double> progress)
    {
        using OpenFile file = Guard(path, () => new OpenFile(path));
        var json = new ArrayBufferWriter<byte>();
        long row = 0;
        while (Guard(path, file.Next) is { } batch)
        {
            using (batch)
            {
                for (int i = 0; i < batch.Length; i++, row++)
                {
                    string where = string.Create(CultureInfo.InvariantCulture, $"{path}: row {row}");
                    (JsonDocument? document, SourceRecord record) = RecordOf(file, batch, i, where, json);
                    using (document) yield return record with { ClassNames = file.ClassNames };
                }
            }
            progress((double)row / Math.Max(1, file.Rows));
        }
        if (row != file.Rows)
            throw new InputException(FormattableString.Invariant($"{path}: {row} rows could be read: expected {file.Rows}; the file is damaged"));
    }

    private static (JsonDocument? Document, SourceRecord Record) RecordOf(
        OpenFile file, ArrowBatch batch, int row, string where, ArrayBufferWriter<byte> json)
    {
        try
        {
            json.ResetWrittenCount();
            using (var writer = new Utf8JsonWriter(json)) ArrowJson.WriteRow(writer, batch, row, file.Columns);
            JsonDocument document = JsonFile.Parse(json.WrittenMemory, where);
            return (document, new SourceRecord(where, document.RootElement));
        }
        catch (InputException exception)
        {
            string problem = exception.Message.StartsWith(where, StringComparison.Ordinal) ? exception.Message : $"{where}: {exception.Message}";
            return (null, new SourceRecord(where, default, problem));
        }
    }

    private static T Guard<T>(string path, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception exception) when (exception is DllNotFoundException or BadImageFormatException or TypeInitializationException)
        {
            throw new InputException($"{path}: Parquet files cannot be read on this system, for which ParquetSharp has no library", exception);
        }
        catch (Exception exception) when (exception is not (InputException or OutOfMemoryException))
        {
            throw new InputException($"{path}: is no Parquet file that can be read, or damaged: {InputText.OneLine(Reason(exception))}", exception);
        }
    }

    /// <summary>ParquetSharp puts the C++ name of the exception around its message.</summary>
    private static string Reason(Exception exception)
    {
        const string before = "(message: '";
        int start = exception is ParquetException ? exception.Message.IndexOf(before, StringComparison.Ordinal) : -1;
        return start < 0 ? exception.Message : exception.Message[(start + before.Length)..].TrimEnd(')').TrimEnd('\'');
    }

    /// <summary>A file with its batches.</summary>
    private sealed class OpenFile : IDisposable
    {
        private readonly FileReader reader;
        private readonly IArrowArrayStream batches;

        public OpenFile(string path)
        {
            using ReaderProperties properties = ReaderProperties.GetDefaultReaderProperties();
            properties.EnableBufferedStream();
            properties.EnablePageChecksumVerification();
            using ArrowReaderProperties arrow = ArrowReaderProperties.GetDefault();
            arrow.BatchSize = RowsPerBatch;
            arrow.UseThreads = false;
            arrow.PreBuffer = false;  // it would hold whole row groups
            reader = new FileReader(path, properties, arrow);
            try
            {
                using FileMetaData metadata = reader.ParquetReader.FileMetaData;
                Rows = metadata.NumRows;
                ClassNames = ClassLabels.Read(metadata.KeyValueMetadata);
                Columns = ArrowColumn.Of(reader.Schema, leaf => IsJson(metadata.Schema, leaf));
                batches = reader.GetRecordBatchReader();
            }
            catch
            {
                reader.Dispose();
                throw;
            }
        }

        public long Rows { get; }

        public IReadOnlyDictionary<string, string[]> ClassNames { get; }

        public ArrowColumn[] Columns { get; }

        public ArrowBatch? Next() => batches.ReadNextRecordBatchAsync().AsTask().GetAwaiter().GetResult();

        /// <inheritdoc/>
        public void Dispose()
        {
            batches.Dispose();
            reader.Dispose();
        }

        private static bool IsJson(SchemaDescriptor schema, int leaf)
        {
            if (leaf >= schema.NumColumns) return false;
            using LogicalType type = schema.Column(leaf).LogicalType;
            return type.Type == LogicalTypeEnum.Json;
        }
    }
}
