using NativeVaccine.Data.Sources;
using NativeVaccine.Tests.Models;
using ParquetSharp;

namespace NativeVaccine.Tests.Data.Sources;

/// <summary>Forms of Parquet that the fixtures lack, written by the library itself.</summary>
public sealed class ParquetRecordsTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    private static SourceRecord[] Read(string path) => [.. RecordSource.Open(path, null, static _ => { }).Read()
        .Select(static record => record.Problem is null ? record with { Value = record.Value.Clone() } : record)];

    private static string[] Texts(string path) => [.. Read(path).Select(static record => record.Problem ?? record.Value.GetRawText())];

    /// <summary>Writes columns of as many row groups as there are rows.</summary>
    private string Write<T>(string name, Column<T> column, T[] rows, Compression codec = Compression.Snappy, bool isSecondVersion = false, Dictionary<string, string>? metadata = null)
    {
        string path = folder.File(name);
        using WriterPropertiesBuilder builder = new WriterPropertiesBuilder().Compression(codec);
        if (isSecondVersion) builder.DataPageVersion(ParquetDataPageVersion.V2);
        using WriterProperties properties = builder.Build();
        using var writer = new ParquetFileWriter(path, [column], properties, metadata);
        foreach (T[] half in rows.Chunk(Math.Max(1, (rows.Length + 1) / 2)))
        {
            using RowGroupWriter group = writer.AppendRowGroup();
            using LogicalColumnWriter<T> values = group.NextColumn().LogicalWriter<T>();
            values.WriteBatch(half);
        }
        writer.Close();
        return path;
    }

    [Theory]
    [InlineData(Compression.Snappy, false)]
    [InlineData(Compression.Zstd, true)]
    [InlineData(Compression.Gzip, true)]
    [InlineData(Compression.Brotli, true)]
    [InlineData(Compression.Uncompressed, true)]
    public void ListsAreReadFromPagesOfEitherVersion(Compression codec, bool isSecondVersion)
    {
        string[]?[] rows = [["a", "b"], [], null, ["c\"d"], ["e"]];
        string path = Write("lists.parquet", new Column<string[]?>("words"), rows, codec, isSecondVersion);
        Assert.Equal(
            ["""{"words":["a","b"]}""", """{"words":[]}""", """{"words":null}""", """{"words":["c\u0022d"]}""", """{"words":["e"]}"""], Texts(path));
    }

    [Fact]
    public void MoreRowsThanOneBatchAreReadInOrder()
    {
        int?[] rows = [.. Enumerable.Range(0, 5001).Select(static i => i % 7 == 0 ? (int?)null : i)];
        string[] read = Texts(Write("long.parquet", new Column<int?>("n"), rows));
        Assert.Equal(rows.Select(static n => $$"""{"n":{{(n is null ? "null" : n)}}}"""), read);
    }

    [Fact]
    public void BrokenJsonInAColumnOfJsonIsNamedByItsRow()
    {
        string path = Write("json.parquet", new Column<string>("answer", LogicalType.Json()), ["\"yes\"", "{\"a\":", "[1, {\"b\":null}]"]);
        string[] read = Texts(path);
        Assert.Equal("""{"answer":"yes"}""", read[0]);
        Assert.StartsWith($"{path}: row 1: field 'answer' holds broken JSON", read[1], StringComparison.Ordinal);
        Assert.Equal("""{"answer":[1, {"b":null}]}""", read[2]);
    }

    [Fact]
    public void ATextOfBytesThatAreNoneIsNamed()
    {
        string path = Write("bytes.parquet", new Column<byte[]>("text", LogicalType.String()), [[(byte)'a'], [0xFF, 0xFE]]);
        string[] read = Texts(path);
        Assert.Equal(["""{"text":"a"}""", $"{path}: row 1: field 'text' is no valid UTF-8 text"], read);
        Assert.Equal(["""{"text":"a"}""", """{"text":null}"""], Texts(Write("raw.parquet", new Column<byte[]>("text"), [[(byte)'a'], [0xFF, 0xFE]])));
    }

    [Fact]
    public void NamesOfClassesAreThoseOfTheFile()
    {
        string path = Write("labels.parquet", new Column<long>("label"), [1], metadata: new()
        {
            ["huggingface"] = """{"info": {"features": {"label": {"names": ["b", "a"], "_type": "ClassLabel"}, "text": {"dtype": "string"}}}}""",
        });
        Assert.Equal(["b", "a"], Assert.Single(Read(path)).ClassNames!["label"]);
        Assert.Empty(Assert.Single(Read(Write("broken.parquet", new Column<long>("label"), [1], metadata: new() { ["huggingface"] = "{" }))).ClassNames!);
    }

    [Fact]
    public void EveryCutOfAParquetFileIsRefused()
    {
        byte[] bytes = File.ReadAllBytes(Fixtures.Path("data", "datasets5", "chat-uniform.parquet"));
        string cut = folder.File("cut.parquet");
        for (int length = 4; length < bytes.Length; length += 13)
        {
            File.WriteAllBytes(cut, bytes[..length]);
            Assert.StartsWith($"{cut}: is no Parquet file that can be read, or damaged: ", Assert.Throws<InputException>(() => Read(cut)).Message, StringComparison.Ordinal);
        }
    }
}
