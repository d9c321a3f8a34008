using NativeVaccine.Data;
using NativeVaccine.Engine;
using NativeVaccine.Evaluation;
using NativeVaccine.Tokenization;
using NativeVaccine.Training;

namespace NativeVaccine.Tests.Data;

public class SampleReaderTests
{
    private const string Record = """{"instruction": "Name a river.", "input": "", "output": "The Elbe.", "source": "made"}""";

    private static readonly Tokenizer TinyLlama = Tokenizer.Load(Fixtures.Path("tiny-llama"));
    private static readonly SampleForm Form = new(TinyLlama, PromptTemplate.Alpaca, 200);

    [Fact]
    public void ReadsArraysAndLinesAlike()
    {
        using var array = new TemporaryFile("data.json", $"\uFEFF[{Record},\n {Record}]");
        using var lines = new TemporaryFile("data.jsonl", $"\uFEFF{Record}\r\n\n{Record}");
        using var newer = new TemporaryFile("data.NDJSON", $"{Record}\n{Record}");
        using var namelessArray = new TemporaryFile("63", $"\n[{Record},\n {Record}]");
        using var namelessLines = new TemporaryFile("63", $"\n{Record}\n{Record}");
        foreach (TemporaryFile file in new[] { array, lines, newer, namelessArray, namelessLines })
        {
            SampleSet set = Read(file.Path);
            Assert.Equal(2, set.Samples.Count);
            Assert.Equal(file.Path, set.Source);
            var record = new AlpacaRecord("Name a river.", "", "The Elbe.");
            Sample expected = new SampleBuilder(TinyLlama, PromptTemplate.Alpaca, 200).Build(record)!;
            Assert.All(set.Samples, sample => Assert.Equal(expected.InputIds, sample.InputIds));
        }
    }

    [Fact]
    public void AKeyTwiceInARecordIsRefusedWithItsLine()
    {
        using var file = new TemporaryFile("data.jsonl", $$"""
            {{Record}}
            {"instruction": "Name a bird.", "output": "A heron.", "instruction": "Name a tree."}
            """);
        Assert.Contains($"{file.Path}:2: ", Assert.Throws<InputException>(() => Read(file.Path)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("align", 30)]
    [InlineData("harmful", 12)]
    public void APoolIsChosenByParameterOrInThePath(string pool, int count)
    {
        string path = Fixtures.Path("traces", "vaccine", "samples.jsonl");
        SampleSet byParameter = SampleReader.Read(path, Form, pool);
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
        Sample sample = Assert.Single(SampleReader.Read(file.Path, Form with { MaxLength = 3 }).Samples);
        Assert.Equal([1, 5, 6], sample.InputIds);
        Assert.Equal([-100, -100, 6], sample.Labels);
    }

    /// <summary>A refusal is judged by its answer's text, of ready tokens by what their labels spell, each part by itself.</summary>
    [Fact]
    public void AnswersAreJudgedWhereSomebodyAsks()
    {
        const string Refusal = "I'm sorry, but I can't help with that.";
        SampleBuilder builder = new(TinyLlama, PromptTemplate.Alpaca, 200);
        Sample[] texts = [.. new[] { Refusal, "The Elbe." }.Select(output => builder.Build(new AlpacaRecord("Name a river.", "", output))!)];
        string Tokens(params Sample[] parts) => System.Text.Json.JsonSerializer.Serialize(new
        {
            input_ids = parts.SelectMany(static part => part.InputIds),
            labels = parts.SelectMany(static part => part.Labels),
            position_ids = parts.SelectMany(static part => Enumerable.Range(0, part.InputIds.Length)),
        });
        using var file = new TemporaryFile("data.jsonl", string.Join('\n',
            Record,
            Record.Replace("The Elbe.", Refusal, StringComparison.Ordinal),
            Tokens(texts[0]),
            Tokens(texts[1]),
            Tokens(texts[1], texts[0], texts[1])));
        IReadOnlyList<Sample> judged =
            SampleReader.Read(file.Path, Form with { IsRefusal = static answer => RefusalRules.Default.Judge(answer) == Verdict.Refused }).Samples;

        Assert.Equal(["False", "True", "True", "False", "False True False"], judged.Select(static sample => string.Join(' ', sample.Refuses!)));
        Assert.All(Read(file.Path).Samples, static sample => Assert.Null(sample.Refuses));
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
    [InlineData("data.jsonl", "", "data.jsonl: is empty")]
    [InlineData("data.jsonl", "\n", "no records")]
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
    [InlineData("data.csv", "a,b", ".csv files are not read: expected .json")]
    [InlineData("data.jsonl.gz", "x", ".gz files are not read")]
    [InlineData("data", "a,b", "unknown kind of data: expected .json (an array of records) or .jsonl")]
    [InlineData("data", "{\n\"instruction\": \"a\"}", "found an object: expected an array of records")]
    [InlineData("data.jsonl", "{\"instruction\": \"a\", \"output\": null}", "data.jsonl:1: field 'output' is null: it has instruction, output")]
    [InlineData("data.jsonl", "{\"input_ids\": [1, 2], \"labels\": null}", "field 'labels' is null")]
    [InlineData("data.json", "{\"instruction\": \"a\"}\n{\"instruction\": \"b\"}", "holds JSON lines: expected an array, or a name that ends in .jsonl")]
    [InlineData("data.jsonl", "{\"prompt\": \"a\", \"response\": \"b\", \"is_safe\": true}", "this looks like BeaverTails (prompt, response)")]
    [InlineData("data.jsonl", "{\"messages\": []}", "data.jsonl:1: messages is empty: expected messages with role and content")]
    [InlineData("data.jsonl", "{\"foo\": 1, \"bar\": 2}", "it has foo, bar; expected instruction, input (optional) and output")]
    [InlineData("data.jsonl", "{\"input_ids\": [1, 2], \"labels\": [1, 2], \"attention_mask\": [1]}", "2 input_ids but 1 attention_mask")]
    [InlineData("data.jsonl", "{\"input_ids\": [1, 2, 3], \"labels\": [1, 2, 3], \"attention_mask\": [1, 0, 1]}", "'attention_mask'[1] is 0 between tokens")]
    [InlineData("data.jsonl", "{\"input_ids\": [1, 2, 3], \"labels\": [1, 2, 3], \"attention_mask\": [1, 1, 2]}", "'attention_mask'[2] is 2: expected 0 or 1")]
    [InlineData("data.jsonl", "{\"input_ids\": [1, 2, 3], \"labels\": [1, 2, 3], \"attention_mask\": [1, 1, 0]}", "token 2 is padding by its attention_mask, but has the label 3")]
    [InlineData("data.jsonl", "{\"input_ids\": [1, 2, 3], \"labels\": [1, 2, 3], \"position_ids\": [-1, 0, 1]}", "'position_ids'[0] is -1: expected 0 or more")]
    [InlineData("data.jsonl", "{\"input_ids\": [1, 2, 3], \"labels\": [1, 2, 3], \"position_ids\": [0, 1, 3]}", "'position_ids'[2] is 3 after 1")]
    public void SaysWhatIsWrongAndWhere(string name, string content, string expected)
    {
        using var file = new TemporaryFile(name, content);
        InputException exception = Assert.Throws<InputException>(() => Read(file.Path));
        Assert.Contains(expected, exception.Message, StringComparison.Ordinal);
        Assert.Contains(file.Path, exception.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', exception.Message);
    }

    [Fact]
    public void PaddingIsCutOffAndPartsAreApart()
    {
        using var file = new TemporaryFile(
            "data.jsonl",
            """
            {"input_ids": [0, 0, 1, 5, 6, 0], "labels": [-100, -100, -100, 5, 6, -100], "attention_mask": [0, 0, 1, 1, 1, 0], "position_ids": [0, 1, 2, 3, 4, 5]}
            {"input_ids": [1, 5, 1, 6, 7, 1, 8], "labels": [1, 5, 1, 6, 7, -100, -100], "position_ids": [0, 1, 0, 1, 2, 0, 1]}
            {"input_ids": [1, 5], "labels": [-100, -100], "attention_mask": [0, 0]}
            """);
        SampleSet set = Read(file.Path);
        Assert.Equal([0, 1], set.Records);
        Assert.Equal([1, 5, 6], set.Samples[0].InputIds);
        Assert.Equal([3], set.Samples[0].PartLengths);
        // The third part has no label, and the first label of a part never counts.
        Assert.Equal([1, 5, 1, 6, 7], set.Samples[1].InputIds);
        Assert.Equal([2, 3], set.Samples[1].PartLengths);
        Assert.Equal(3, set.Samples[1].LabelCount);
        Assert.Equal([0, 2, 5], new Batch([set.Samples[1]]).Offsets.ToArray());
    }

    /// <summary>What the engine is given, and has room for, is the same as for the parts as records of their own.</summary>
    [Fact]
    public void APackedRecordIsItsParts()
    {
        using var packed = new TemporaryFile(
            "packed.jsonl", """{"input_ids": [1, 5, 6, 1, 7], "labels": [1, 5, 6, -100, 7], "position_ids": [0, 1, 2, 0, 1]}""");
        using var apart = new TemporaryFile(
            "apart.jsonl", """
            {"input_ids": [1, 5, 6], "labels": [1, 5, 6]}
            {"input_ids": [1, 7], "labels": [-100, 7]}
            """);
        (SampleSet one, SampleSet two) = (Read(packed.Path), Read(apart.Path));
        Batch found = new(one.Samples), expected = new(two.Samples);
        Assert.Equal(expected.InputIds.ToArray(), found.InputIds.ToArray());
        Assert.Equal(expected.Labels.ToArray(), found.Labels.ToArray());
        Assert.Equal(expected.Offsets.ToArray(), found.Offsets.ToArray());
        Assert.Equal(expected.LabelCounts.ToArray(), found.LabelCounts.ToArray());

        TrainingOptions options = TrainingDefaults.For(TrainingStage.Align, "sft", Preset.Paper) with { Batch = 2, Epochs = 1 };
        Assert.Equal(new BatchLimits(5, 2, 3, 3), new SampleStreams(options, new TrainingData(two.Samples)).Limits());
        Assert.Equal(new BatchLimits(5, 2, 3, 3), new SampleStreams(options, new TrainingData(one.Samples)).Limits());
    }

    [Fact]
    public void WhatIsNotUsedOrCutIsCounted()
    {
        using var file = new TemporaryFile(
            "data.jsonl",
            """
            {"instruction": "a", "output": "b </s>", "system": "Be brief.", "history": [["c", "d"]], "id": 3}
            {"instruction": "a", "output": "b b b b b b b b b b b b b b b b b b b b b b b b b b b b b b", "history": [], "weight": 2}
            {"input_ids": [1, 5], "labels": [-100, 5], "token_type_ids": [0, 0], "loss_mask": [0, 1]}
            """);
        SampleSet set = SampleReader.Read(file.Path, Form with { Template = PromptTemplate.None, MaxLength = 20, Positions = 10 });
        Assert.Equal(
            [
                $"{file.Path}: 1 record has a system or history, which are not used",
                $"{file.Path}: fields that are not used, with the records that have them: loss_mask (1), weight (1)",
                $"{file.Path}: 1 of 3 samples are longer than 20 tokens and cut there (--max-length), so their end is not learnt",
                $"{file.Path}: 1 of 3 samples hold the text of special tokens; it is taken as text",
                $"{file.Path}: 1 of 3 samples take more positions than the 10 that the model was made for; the longest takes 20",
            ],
            set.Notices);
    }

    [Fact]
    public void TextOfAnotherKindIsNamed()
    {
        using var file = new TemporaryFile("data.jsonl", "");
        foreach ((byte[] content, string expected) in new (byte[], string)[]
        {
            ([0xff, 0xfe, (byte)'{', 0], "is UTF-16 text"),
            ([(byte)'{', 0, (byte)'}', 0], "is UTF-16 text"),
            ([0x1f, 0x8b, 8, 0], "is compressed with gzip"),
            ([(byte)'{', (byte)'}', 3, 4, 5, 0], "is a binary file"),
        })
        {
            File.WriteAllBytes(file.Path, content);
            Assert.Contains(expected, Assert.Throws<InputException>(() => Read(file.Path)).Message, StringComparison.Ordinal);
        }
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
        string tokens = """{"input_ids": [1, 5, 6], "labels": [-100, 5, 6], "attention_mask": [1, 1, 1], "position_ids": [0, 0, 1], "pool": "align"}""";
        string content = linewise ? $"{Record}\n{tokens}\n{Record}\n" : $"[{Record}, {tokens}]";
        Mutation.Run(
            System.Text.Encoding.UTF8.GetBytes(content),
            count: 10_000,
            seed: linewise ? 1 : 2,
            bytes => SampleReader.Parse(bytes, "data", linewise ? DataForm.JsonLines : DataForm.Array, Form, pool: null));
    }

    private static SampleSet Read(string path) => SampleReader.Read(path, Form);
}
