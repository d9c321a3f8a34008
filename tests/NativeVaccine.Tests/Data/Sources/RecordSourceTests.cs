using System.IO.Compression;
using System.Text;
using System.Text.Json;
using NativeVaccine.Data.Sources;
using NativeVaccine.Tests.Models;

namespace NativeVaccine.Tests.Data.Sources;

/// <summary>The kinds of files that data sets are published in, whole and damaged.</summary>
public sealed class RecordSourceTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    private static string[] Read(string path, string? split = null, Action<string>? notice = null) =>
        [.. RecordSource.Open(path, split, notice ?? (static _ => { })).Read().Select(static record => record.Problem ?? record.Value.GetRawText())];

    private string Write(string name, string content)
    {
        string path = folder.File(name);
        File.WriteAllText(path, content);
        return path;
    }

    [Fact]
    public void AParquetFileAndATableOfTheSameRecordsAreTheSame()
    {
        string[] Texts(string file) =>
            [.. Read(Fixtures.Path("data", "sst2", file)).Select(static json => JsonDocument.Parse(json).RootElement)
                .Select(static record => $"{record.GetProperty("sentence").GetString()}|{record.GetProperty("label")}")];
        string[] table = Texts("train.tsv");
        Assert.Equal(60, table.Length);
        Assert.Equal(table, Texts("train-00000-of-00001.parquet"));
    }

    [Fact]
    public void ParquetAsDatasets5WritesItHasTheRecordsThatWereStored()
    {
        using JsonDocument expected = JsonDocument.Parse(File.ReadAllText(Fixtures.Path("data", "datasets5", "expected.json")));
        foreach (string name in (string[])["chat-uniform", "chat-differing", "beavertails-nested"])
        {
            JsonElement[] records = [.. expected.RootElement.GetProperty(name).GetProperty("records").EnumerateArray()];
            string[] read = Read(Fixtures.Path("data", "datasets5", $"{name}.parquet"));
            Assert.Equal(records.Length, read.Length);
            foreach ((JsonElement record, string json) in records.Zip(read))
                Assert.True(JsonElement.DeepEquals(record, JsonDocument.Parse(json).RootElement), $"{name}: {json}");
        }
        // A text that was JSON before it was stored has lost its quotation marks: as stored it is the same as "yes" without them.
        Assert.Equal(
            ["""{"question":"2 \u002B 2 = ?","answer":4}""", """{"question":"A bird?","answer":"heron"}""", """{"question":"Quoted?","answer":"yes"}""", """{"question":"None?","answer":null}"""],
            Read(Fixtures.Path("data", "datasets5", "answers-mixed.parquet")));
    }

    [Theory]
    [InlineData("train.jsonl.gz", 80)]
    [InlineData("test.jsonl.gz", 40)]
    public void EveryCutOfAPackedFileIsRefused(string name, int records)
    {
        string whole = Fixtures.Path("data", "beavertails", "round0", "30k", name);
        Assert.Equal(records, Read(whole).Length);
        RefuseEveryCut(whole, "cut.jsonl.gz");
    }

    [Fact]
    public void EveryCutOfAnXzFileIsRefused()
    {
        string whole = Fixtures.Path("data", "beavertails", "round0", "330k", "test.jsonl.xz");
        Assert.Equal(12, Read(whole).Length);
        RefuseEveryCut(whole, "cut.jsonl.xz");
    }

    private void RefuseEveryCut(string whole, string name)
    {
        byte[] bytes = File.ReadAllBytes(whole);
        string cut = folder.File(name);
        for (int length = 7; length < bytes.Length; length++)
        {
            File.WriteAllBytes(cut, bytes[..length]);
            InputException exception = Assert.Throws<InputException>(() => Read(cut));
            Assert.Contains($"{cut}: is damaged or cut short", exception.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void AFlippedBitInAPackedFileIsRefused()
    {
        foreach (string whole in (string[])[Fixtures.Path("data", "beavertails", "round0", "330k", "test.jsonl.xz"), Fixtures.Path("data", "beavertails", "round0", "30k", "test.jsonl.gz")])
        {
            byte[] bytes = File.ReadAllBytes(whole);
            bytes[bytes.Length / 2] ^= 4;
            string damaged = folder.File(Path.GetFileName(whole));
            File.WriteAllBytes(damaged, bytes);
            Assert.Throws<InputException>(() => Read(damaged));
        }
    }

    [Fact]
    public void SeveralStreamsOfXzInOneFileAreAllRead()
    {
        byte[] one = File.ReadAllBytes(Fixtures.Path("data", "beavertails", "round0", "330k", "test.jsonl.xz"));
        string two = folder.File("two.jsonl.xz");
        File.WriteAllBytes(two, [.. one, 0, 0, 0, 0, .. one]);
        Assert.Equal(24, Read(two).Length);
        File.WriteAllBytes(two, [.. one, 1, 2, 3, 4]);
        Assert.Throws<InputException>(() => Read(two));
        File.WriteAllBytes(two, [.. one, 0, 0, 0]);
        Assert.Contains("no padding", Assert.Throws<InputException>(() => Read(two)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void JsonInArraysAndLinesIsTold()
    {
        string[] expected = ["""{"a":1}""", """{"a":"[x\n"}"""];
        Assert.Equal(expected, Read(Write("a.json", "\uFEFF [ {\"a\":1} ,\r\n{\"a\":\"[x\\n\"}\n]\n ")));
        Assert.Equal(expected, Read(Write("lines.json", "{\"a\":1}\n{\"a\":\"[x\\n\"}")));
        Assert.Equal(expected, Read(Write("a.jsonl", "\n{\"a\":1}\r\n\r\n{\"a\":\"[x\\n\"}\n\n")));
        Assert.Equal(expected, Read(Write("suffixless", "{\"a\":1}\n{\"a\":\"[x\\n\"}\n")));
    }

    [Fact]
    public void ALongArrayIsReadPieceByPiece()
    {
        var text = new StringBuilder("[");
        for (int i = 0; i < 20_000; i++) text.Append(i == 0 ? "" : ",\n").Append($$"""{"n":{{i}},"text":"{{new string('x', i % 50)}}"}""");
        string[] read = Read(Write("long.json", text.Append(']').ToString()));
        Assert.Equal(20_000, read.Length);
        Assert.StartsWith("{\"n\":19999,", read[^1], StringComparison.Ordinal);
        string wide = $$"""[{"text":"{{new string('y', 1_000_000)}}"},{"n":1}]""";
        Assert.Equal(2, Read(Write("wide.json", wide)).Length);
    }

    [Theory]
    [InlineData("cut.json", "[{\"a\": 1},\n{\"a\": 2}", "cut.json:2: broken JSON")]
    [InlineData("inner.json", "[{\"a\": 1},\n{\"a\": tru}]", "inner.json:2: broken JSON")]
    [InlineData("after.json", "[{\"a\": 1}]\n[]", "after.json:2: text after the end of the array")]
    [InlineData("object.json", "{\n\"a\": 1\n}", "object.json: expected an array of records, or a record a line")]
    [InlineData("wrong.parquet", "PAR0....", "wrong.parquet: is no Parquet file: expected it to begin with PAR1")]
    [InlineData("cut.parquet", "PAR1\u0015\u0004", "cut.parquet: is no Parquet file that can be read, or damaged")]
    [InlineData("open.csv", "a,b\n1,2\n3,\"4\n5,6\n", "open.csv:3: a quote is opened here and never closed")]
    [InlineData("twice.csv", "a,a\n1,2\n", "twice.csv:1: two columns are named 'a'")]
    [InlineData("mac.csv", "a,b\r1,2\r", "mac.csv: lines end with a carriage return alone: expected line feeds")]
    [InlineData("wide.jsonl", "\u0000a\u0000b", "wide.jsonl: is ")]
    [InlineData("records.arrow", "ARROW1", ".arrow files are not read: expected .parquet")]
    [InlineData("pointer.parquet", "version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "pointer.parquet: is a Git LFS pointer")]
    [InlineData("blank.csv", " \n", "blank.csv: is empty")]
    public void WhatIsNoSuchFileIsRefused(string name, string content, string expected) =>
        Assert.Contains(expected, Assert.Throws<InputException>(() => Read(Write(name, content))).Message, StringComparison.Ordinal);

    [Fact]
    public void ARecordThatIsNoneIsNamedAndTheOthersAreRead()
    {
        string lines = Write("a.jsonl", "{\"a\":1}\n{\"a\":\n{\"a\":2,\"a\":3}\n{\"a\":\"\\ud800\"}\n{\"a\":4}");
        string[] read = Read(lines);
        Assert.Equal(("""{"a":1}""", """{"a":4}"""), (read[0], read[^1]));
        string[] problems = ["broken JSON", "broken JSON", "a string has half of a surrogate pair"];
        Assert.All(problems.Index(), problem => Assert.StartsWith($"{lines}:{problem.Index + 2}: {problem.Item}", read[problem.Index + 1], StringComparison.Ordinal));
        string array = Write("a.json", "[{\"a\":1,\n\"a\":2},\n{\"a\":3}]");
        Assert.StartsWith($"{array}:1: broken JSON", Read(array)[0], StringComparison.Ordinal);
        string table = Write("a.csv", "a,b\n1,2\n3\n4,5,6\n7,8\n");
        Assert.Equal(
            ["""{"a":"1","b":"2"}""", $"{table}:3: 1 field: expected 2 (a, b)", $"{table}:4: 3 fields: expected 2 (a, b)", """{"a":"7","b":"8"}"""],
            Read(table));
    }

    /// <summary>A spreadsheet writes columns that were used once, and data frames their index, without a name.</summary>
    [Fact]
    public void ColumnsWithoutANameAreNotRead() =>
        Assert.Equal(["""{"a":"1"}""", """{"a":"2"}"""], Read(Write("a.csv", "\uFEFF,a,,\r\n0,1,,\r\n1,2,,\r\n")));

    /// <summary>The expected fields are those of Python's csv module.</summary>
    [Theory]
    [InlineData("a,b\r\n1,2\r\n\r\n3,4", "1|2;3|4")]
    [InlineData("a,b\n\"1,\n\"\"x\"\"\",2\n", "1,\n\"x\"|2")]
    [InlineData("a,b\n5\" disk,say \"\"hi\"\"\n", "5\" disk|say \"\"hi\"\"")]
    [InlineData("a,b\n\"x\"y,\"\"\n", "xy|")]
    [InlineData("\uFEFF\"a\",b\n1,\"2\"", "1|2")]
    [InlineData("a,b\n,\n", "|")]
    public void CsvIsReadAsPythonReadsIt(string text, string expected) => Assert.Equal(expected, Fields("a.csv", text));

    [Theory]
    [InlineData("a\tb\n\"x\ty\"\t1\n", "x\ty|1")]
    [InlineData("a\tb\n\" a quote of the text\t1\nand \" another\t2\n", "\" a quote of the text|1;and \" another|2")]
    [InlineData("a\tb\n\"so\" he said\t1\n", "\"so\" he said|1")]
    [InlineData("a\tb\n\"say \"\"hi\"\"\"\t1\n", "say \"hi\"|1")]
    public void AQuoteInATableWithTabsIsTextUnlessItEnclosesTheField(string text, string expected) => Assert.Equal(expected, Fields("a.tsv", text));

    private string Fields(string name, string text) => string.Join(';', Read(Write(name, text)).Select(static json => JsonDocument.Parse(json).RootElement)
        .Select(static record => $"{record.GetProperty("a").GetString()}|{record.GetProperty("b").GetString()}"));

    [Fact]
    public void ALargeTableIsReadAcrossTheEdgesOfItsBuffer()
    {
        var text = new StringBuilder("a,b\n");
        for (int i = 0; i < 30_000; i++) text.Append($"\"{i},\n\"\"{i}\"\"\",{i}\r\n");
        string path = Write("large.csv", text.ToString());
        string[] read = Read(path);
        Assert.Equal(30_000, read.Length);
        for (int i = 0; i < read.Length; i++) Assert.Equal($$"""{"a":"{{i}},\n\u0022{{i}}\u0022","b":"{{i}}"}""", read[i]);
    }

    [Fact]
    public void NoMoreThanARecordIsHeldHoweverLongTheFile()
    {
        byte[] line = Encoding.UTF8.GetBytes($$"""{"text":"{{new string('x', 300)}}"}""" + "\n");
        using var endless = new RepeatedStream(line, 40_000);
        var buffer = new RecordBuffer(endless, "made");
        long records = 0;
        int most = 0;
        foreach (SourceRecord record in TextRecords.Lines(buffer, "made"))
        {
            most = Math.Max(most, buffer.Unread.Length);
            records++;
        }
        Assert.Equal(40_000, records);
        Assert.True(most <= 1 << 17, $"{most} bytes were held");
    }

    [Fact]
    public void ShardsOfAFolderAreReadInTheOrderOfTheirNumbers()
    {
        string shards = folder.File("set");
        Directory.CreateDirectory(shards);
        foreach (int i in (int[])[10, 9, 2]) File.WriteAllText(Path.Combine(shards, $"train-{i}.jsonl"), $$"""{"shard":{{i}}}""");
        File.WriteAllText(Path.Combine(shards, "README.md"), "#");
        File.WriteAllText(Path.Combine(shards, "dataset_infos.json"), "{}");
        Assert.Equal(["""{"shard":2}""", """{"shard":9}""", """{"shard":10}"""], Read(shards));
        File.WriteAllText(Path.Combine(shards, "test-1.jsonl"), """{"shard":1}""");
        InputException several = Assert.Throws<InputException>(() => Read(shards));
        Assert.Contains("holds files of several splits: test (1), train (3): expected --split", several.Message, StringComparison.Ordinal);
        Assert.Equal(["""{"shard":1}"""], Read(shards, "test"));
        Assert.Contains("is no folder, of whose files --split chooses some", Assert.Throws<InputException>(() => Read(Path.Combine(shards, "train-9.jsonl"), "train")).Message, StringComparison.Ordinal);
        Assert.Contains("no files of the split validation", Assert.Throws<InputException>(() => Read(shards, "validation")).Message, StringComparison.Ordinal);
        File.WriteAllText(Path.Combine(shards, "train-1.csv"), "shard\n1\n");
        Assert.Contains("files of several kinds", Assert.Throws<InputException>(() => Read(shards, "train")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AMissingShardIsTold()
    {
        string shards = folder.File("data");
        Directory.CreateDirectory(shards);
        File.WriteAllText(Path.Combine(shards, "train-00000-of-00002.jsonl"), "{}");
        var notices = new List<string>();
        Assert.Single(Read(folder.Root, notice: notices.Add));
        Assert.Equal([$"{shards}: 1 of 2 shards are there; the others' records are missing"], notices);
        Assert.Contains("no data files", Assert.Throws<InputException>(() => Read(Directory.CreateDirectory(folder.File("empty")).FullName)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void SeveralMembersOfGzipInOneFileAreAllRead()
    {
        using var packed = new MemoryStream();
        for (int i = 0; i < 2; i++)
        {
            using var member = new GZipStream(packed, CompressionLevel.Fastest, leaveOpen: true);
            member.Write(Encoding.UTF8.GetBytes($$"""{"n":{{i}}}""" + "\n"));
        }
        string path = folder.File("two.jsonl.gz");
        File.WriteAllBytes(path, packed.ToArray());
        Assert.Equal(["""{"n":0}""", """{"n":1}"""], Read(path));
    }

    /// <summary>The same bytes over and over, which lie nowhere together.</summary>
    private sealed class RepeatedStream(byte[] bytes, long times) : Stream
    {
        private long position;

        public override bool CanRead => true;
        public override bool CanSeek => false;
        public override bool CanWrite => false;
        public override long Length => throw new NotSupportedException();
        public override long Position { get => position; set => throw new NotSupportedException(); }

        public override int Read(byte[] buffer, int offset, int count)
        {
            count = (int)Math.Min(count, bytes.Length * times - position);
            for (int i = 0; i < count; i++) buffer[offset + i] = bytes[position++ % bytes.Length];
            return count;
        }

        public override void Flush() { }
        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
        public override void SetLength(long value) => throw new NotSupportedException();
        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
