using NativeVaccine.Data;
using NativeVaccine.Tokenization;

namespace NativeVaccine.Tests.Data;

public class SampleReaderTests
{
    private const string Record = """{"instruction": "Name a river.", "input": "", "output": "The Elbe.", "source": "made"}""";

    private static readonly Tokenizer TinyLlama = Tokenizer.Load(Fixtures.Path("tiny-llama"));

    [Fact]
    public void ReadsArraysAndLinesAlike()
    {
        using var array = new TemporaryFile("data.json", $"\uFEFF[{Record},\n {Record}]");
        using var lines = new TemporaryFile("data.jsonl", $"\uFEFF{Record}\r\n\n{Record}");
        foreach (TemporaryFile file in new[] { array, lines })
        {
            SampleSet set = Read(file.Path);
            Assert.Equal(2, set.Samples.Count);
            Assert.Equal(file.Path, set.Source);
            var record = new AlpacaRecord("Name a river.", "", "The Elbe.");
            Sample expected = new SampleBuilder(TinyLlama, PromptTemplate.Alpaca, 200).Build(record)!;
            Assert.All(set.Samples, sample => Assert.Equal(expected.InputIds, sample.InputIds));
        }
    }

    [Theory]
    [InlineData("align", 30)]
    [InlineData("harmful", 12)]
    public void APoolIsChosenByParameterOrInThePath(string pool, int count)
    {
        string path = Fixtures.Path("traces", "vaccine", "samples.jsonl");
        SampleSet byParameter = SampleReader.Read(path, TinyLlama, PromptTemplate.Alpaca, 200, pool);
        SampleSet byPath = Read($"{path}#{pool}");
        Assert.Equal(count, byParameter.Samples.Count);
        Assert.Equal(0, byParameter.Dropped);
        Assert.Equal(Enumerable.Range(0, count), byParameter.Records);
        Assert.Equal(byParameter.Samples.Select(sample => sample.InputIds), byPath.Samples.Select(sample => sample.InputIds));
        Assert.Equal($"{path}#{pool}", byPath.Source);
    }

    [Fact]
    public void ReadyTokensAreTakenAsTheyAreAndCut()
    {
        using var file = new TemporaryFile("data.jsonl", """{"input_ids": [1, 5, 6, 7], "labels": [-100, -100, 6, 7]}""");
        Sample sample = Assert.Single(SampleReader.Read(file.Path, TinyLlama, PromptTemplate.Alpaca, 3).Samples);
        Assert.Equal([1, 5, 6], sample.InputIds);
        Assert.Equal([-100, -100, 6], sample.Labels);
    }

    [Fact]
    public void RecordsWithoutALabelLeftAreDroppedAndCounted()
    {
        using var file = new TemporaryFile(
            "data.jsonl",
            """
            {"input_ids": [1, 5], "labels": [-100, -100]}
            {"input_ids": [1, 5], "labels": [-100, 5]}
            {"input_ids": [], "labels": []}
            """);
        SampleSet set = Read(file.Path);
        Assert.Equal(2, set.Dropped);
        Assert.Equal([1], set.Records);
        Assert.Single(set.Samples);
    }

    [Theory]
    [InlineData("data.jsonl", "", "no records")]
    [InlineData("data.json", "[]", "no records")]
    [InlineData("data.json", "{}", "expected an array")]
    [InlineData("data.json", "[\n{},\n{]", "data.json:3: broken JSON")]
    [InlineData("data.jsonl", "\n\n{\"instruction\": \"a\", \"output\": \"b\"}\n{oops}\n", "data.jsonl:4: broken JSON")]
    [InlineData("data.jsonl", "7", "data.jsonl:1: found 7: expected an object")]
    [InlineData(
        "data.json", "[{\"instruction\": \"a\", \"output\": \"b\"}, {\"instruction\": \"a\"}]", "record 1: field 'output' is missing")]
    [InlineData("data.jsonl", "{\"instruction\": 3, \"output\": \"b\"}", "field 'instruction' is 3: expected a string")]
    [InlineData("data.jsonl", "{\"instruction\": \"\\ud800\", \"output\": \"b\"}", "data.jsonl:1: a string has half of a surrogate pair")]
    [InlineData("data.jsonl", "{\"input_ids\": [1, 2]}", "field 'labels' is missing")]
    [InlineData("data.jsonl", "{\"input_ids\": [1, 2], \"labels\": [1]}", "2 input_ids but 1 labels")]
    [InlineData("data.jsonl", "{\"input_ids\": [1, 800], \"labels\": [1, 2]}", "'input_ids'[1] is 800: expected a token id from 0 to 799")]
    [InlineData("data.jsonl", "{\"input_ids\": [1, -100], \"labels\": [1, 2]}", "'input_ids'[1] is -100")]
    [InlineData("data.jsonl", "{\"input_ids\": [1, 2], \"labels\": [1, -1]}", "'labels'[1] is -1")]
    [InlineData("data.jsonl", "{\"input_ids\": [1, 2.5], \"labels\": [1, 2]}", "'input_ids'[1] is 2.5: expected a whole number")]
    [InlineData("data.jsonl", "{\"input_ids\": \"x\", \"labels\": [1, 2]}", "'input_ids' is a string")]
    [InlineData("data.jsonl", "{\"input_ids\": [1, 2], \"labels\": [1, -100]}", "none of its 1 records has a label left")]
    [InlineData("data.csv", "a,b", "expected .json")]
    public void SaysWhatIsWrongAndWhere(string name, string content, string expected)
    {
        using var file = new TemporaryFile(name, content);
        InputException exception = Assert.Throws<InputException>(() => Read(file.Path));
        Assert.Contains(expected, exception.Message, StringComparison.Ordinal);
        Assert.Contains(file.Path, exception.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', exception.Message);
    }

    [Fact]
    public void AnAbsentFileOrPoolIsSaid()
    {
        Assert.Contains("absent.json", Assert.Throws<InputException>(() => Read("absent.json")).Message, StringComparison.Ordinal);
        string path = Fixtures.Path("traces", "sft", "samples.jsonl");
        InputException exception = Assert.Throws<InputException>(() => Read($"{path}#nobody"));
        Assert.Contains("#nobody: no records", exception.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void DamagedFilesAreRefused(bool linewise)
    {
        string tokens = """{"input_ids": [1, 5, 6], "labels": [-100, 5, 6], "pool": "align"}""";
        string content = linewise ? $"{Record}\n{tokens}\n{Record}\n" : $"[{Record}, {tokens}]";
        var builder = new SampleBuilder(TinyLlama, PromptTemplate.Alpaca, 200);
        Mutation.Run(
            System.Text.Encoding.UTF8.GetBytes(content),
            count: 10_000,
            seed: linewise ? 1 : 2,
            bytes => SampleReader.Parse(bytes, "data", linewise, builder, TinyLlama.VocabularySize, pool: null));
    }

    private static SampleSet Read(string path) => SampleReader.Read(path, TinyLlama, PromptTemplate.Alpaca, 200);
}
