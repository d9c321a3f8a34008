using System.Text;
using NativeVaccine.Data;
using NativeVaccine.Tokenization;
using NativeVaccine.Training;

namespace NativeVaccine.Tests.Data;

public class PairReaderTests
{
    private const string Pair = """{"instruction": "Open it.", "input": "The gate.", "harmful": "Take the key.", "harmless": "I cannot."}""";

    private static readonly Tokenizer TinyLlama = Tokenizer.Load(Fixtures.Path("tiny-llama"));
    private static readonly SampleForm Form = new(TinyLlama, PromptTemplate.Alpaca, 200);

    [Fact]
    public void PairsOfTextAreTwoSamplesOfOnePrompt()
    {
        using var array = new TemporaryFile("data.json", $"[{Pair},\n {Pair}]");
        using var lines = new TemporaryFile("data.jsonl", $"{Pair}\n\n{Pair}");
        var builder = new SampleBuilder(TinyLlama, PromptTemplate.Alpaca, 200);
        Sample harmful = builder.Build(new AlpacaRecord("Open it.", "The gate.", "Take the key."))!;
        Sample harmless = builder.Build(new AlpacaRecord("Open it.", "The gate.", "I cannot."))!;
        foreach (TemporaryFile file in new[] { array, lines })
        {
            (SampleSet kept, SampleSet other) = PairReader.Read(file.Path, Form);
            Assert.All(kept.Samples, sample => Assert.Equal([harmless.InputIds, harmless.Labels], [sample.InputIds, sample.Labels]));
            Assert.All(other.Samples, sample => Assert.Equal([harmful.InputIds, harmful.Labels], [sample.InputIds, sample.Labels]));
            Assert.Equal((2, 2, "2 pairs"), (kept.Samples.Count, other.Samples.Count, kept.Summary));
            Assert.Empty(kept.Notices);
        }
    }

    [Theory]
    [InlineData("repnoise-beta0", 18)]
    [InlineData("repnoise-mmd", 3)]
    public void SidesOfTokensArePairedByTheirIndex(string trace, int count)
    {
        (SampleSet harmless, SampleSet harmful) = PairReader.Read(Fixtures.Path("traces", trace, "samples.jsonl"), Form);

        Assert.Equal((count, count), (harmless.Samples.Count, harmful.Samples.Count));
        Assert.Equal(Enumerable.Range(0, count), harmless.Records);
        Assert.Equal(Enumerable.Range(0, count), harmful.Records);
        foreach ((Sample a, Sample b) in harmless.Samples.Zip(harmful.Samples))
        {
            int prompt = Array.FindIndex(a.Labels, static label => label != Sample.IgnoredLabel);
            Assert.Equal(a.InputIds[..prompt], b.InputIds[..prompt]);
            Assert.NotEqual(a.InputIds[prompt..], b.InputIds[prompt..]);
        }
        Assert.Empty(harmless.Notices);
    }

    [Fact]
    public void SidesMayStandInAnyOrderAndArePairsInThatOfTheirFirst()
    {
        (SampleSet harmless, SampleSet harmful) = Parse(
            Side("harmful", 7, [1, 5], [-100, 5]), Side("harmless", 3, [1, 6, 7], [-100, 6, 7]), Side("align", 3, [9], [9]),
            Side("harmful", 3, [1, 8], [-100, 8]), Side("harmless", 7, [1, 9], [-100, 9]));

        Assert.Equal([[1, 9], [1, 6, 7]], harmless.Samples.Select(static sample => sample.InputIds));
        Assert.Equal([[1, 5], [1, 8]], harmful.Samples.Select(static sample => sample.InputIds));
        Assert.Equal(["pairs.jsonl: records of other pools than harmful and harmless, which are not used: 1"], harmless.Notices);
    }

    [Fact]
    public void APairOfWhichASideHasNothingLeftIsLeftOutAsAPair()
    {
        (SampleSet harmless, SampleSet harmful) = Parse(
            Side("harmful", 0, [1, 5], [-100, -100]), Side("harmless", 0, [1, 6], [-100, 6]),   // no label
            Side("harmful", 1, [1, 5], [-100, 5]), Side("harmless", 1, [1, 5], [-100, 5]),      // no difference
            Side("harmful", 2, [1, 5], [-100, 5]), Side("harmless", 2, [1, 5, 6], [-100, 5, 6]), // a beginning of the other
            Side("harmful", 3, [1, 0], [-100, 0]), Side("harmless", 3, [1, 6], [-100, 6]),      // token 0 is no label
            Side("harmful", 4, [1, 5], [-100, 5]), Side("harmless", 4, [1, 6], [-100, 6]));

        Assert.Equal((4, 4), (harmless.Dropped, harmful.Dropped));
        Assert.Equal([4], harmless.Records);
        Assert.Equal([4], harmful.Records);
        Assert.Equal("1 pairs (4 without a label left on both sides are not used)", harmless.Summary);
        string none = Refused(Side("harmful", 1, [1, 5], [-100, 5]), Side("harmless", 1, [1, 5], [-100, 5]));
        Assert.StartsWith("pairs.jsonl: none of its 1 pairs has a label left on both sides: expected ", none, StringComparison.Ordinal);
    }

    [Fact]
    public void WhatIsCutOrUnlikeOrNotUsedIsCounted()
    {
        string[] notices = [.. Parse(
            Side("harmful", 0, [1, 5, .. Enumerable.Range(10, 300)], [-100, 5, .. Enumerable.Range(10, 300)]),
            Side("harmless", 0, [2, 6], [-100, 6]),
            """{"instruction": "a", "harmful": "b", "harmless": "c", "output": "d", "risk": 1}""").Harmless.Notices];

        Assert.Equal(
        [
            "pairs.jsonl: fields that are not used, with the records that have them: output (1), risk (1)",
            "pairs.jsonl: 1 of 4 sides are longer than 200 tokens and cut there (--max-length), so their end is not learnt",
            "pairs.jsonl: pairs whose sides do not begin with the same prompt: 1 of 2",
        ],
        notices);
    }

    [Theory]
    [InlineData("[1]", "pairs.jsonl:1: found an array: expected an object")]
    [InlineData("", "pairs.jsonl: no pairs: expected at least one")]
    [InlineData("""{"instruction": "a", "output": "b"}""",
        "pairs.jsonl:1: field 'harmless' is missing: it has instruction, output; expected instruction, input (optional), harmful and harmless, or a side of a pair with pool (harmful, harmless) and index")]
    [InlineData("""{"instruction": "a", "harmful": "b", "harmless": null}""", "pairs.jsonl:1: field 'harmless' is null")]
    [InlineData("""{"instruction": "a", "harmful": "b", "harmless": 5}""", "pairs.jsonl:1: field 'harmless' is 5: expected a string")]
    [InlineData("""{"prompt": "a", "chosen": "b", "rejected": "c"}""", "pairs.jsonl:1: field 'instruction' is missing: this looks like preference pairs")]
    [InlineData("""{"pool": "harmful", "input_ids": [1], "labels": [1]}""", "pairs.jsonl:1: field 'index' is missing")]
    [InlineData("""{"pool": 1}""", "pairs.jsonl:1: field 'pool' is 1: expected a string")]
    [InlineData("""{"pool": "align", "index": 1}""", "pairs.jsonl: no pairs")]
    public void WhatIsNoPairIsRefused(string content, string expected) =>
        Assert.StartsWith(expected, Refused(content), StringComparison.Ordinal);

    [Fact]
    public void ASideThatIsMissingOrTwiceThereIsRefused()
    {
        string side = Side("harmful", 4, [1, 5], [-100, 5]);
        Assert.Equal("pairs.jsonl:2: a second harmful record of index 4: expected one of each side", Refused(side, side));
        Assert.Equal("pairs.jsonl:1: no harmless record has its index 4: expected both sides of a pair", Refused(side));
        string packed = """{"pool": "harmful", "index": 4, "input_ids": [1, 2, 3, 4], "labels": [1, 2, 3, 4], "position_ids": [0, 1, 0, 1]}""";
        Assert.Equal("pairs.jsonl:1: 2 sequences in one record: expected one, as the side of a pair", Refused(packed));
    }

    [Fact]
    public void MarksAreWhereAnAnswerDiffersAndLabelsFollow()
    {
        // Token 6 is the same in both, token 0 is what the shorter side is padded with, and the prompt differs nowhere that counts.
        Sample shorter = new([1, 2, 5, 6, 7], [-100, -100, 5, 6, 7]);
        Sample longer = new([1, 3, 8, 6, 9, 0, 4], [-100, -100, 8, 6, 9, 0, 4]);

        Assert.Equal([false, false, true, false, true], PairMask.Of(shorter, longer));
        Assert.Equal([false, false, true, false, true, false, true], PairMask.Of(longer, shorter));
        Assert.Equal([-100, -100, 8, -100, 9, -100, 4], PairMask.Labels(longer, PairMask.Of(longer, shorter)));
        Assert.Equal((2, 3), (PairMask.LabelCount(shorter, longer), PairMask.LabelCount(longer, shorter)));
    }

    [Fact]
    public void BothSidesOfABatchArePlannedFor()
    {
        Sample Of(int length) => new([.. Enumerable.Range(1, length)], [.. Enumerable.Range(1, length)]);
        TrainingOptions options = TrainingDefaults.For(TrainingStage.Align, "repnoise", Preset.Paper) with { Batch = 2, Epochs = 1, Seed = 1 };
        var data = new TrainingData([Of(10), Of(1), Of(1), Of(1)])
        {
            Pools = new Dictionary<SampleKind, SamplePool> { [SampleKind.Harmful] = new([Of(1), Of(15), Of(6), Of(7)]) },
            Replay = [new ReplayStep(0, [[0, 3]]), new ReplayStep(1, [[2, 1]])],
        };
        var streams = new SampleStreams(options, data);

        // The largest are 10 + 1 of the one side and 15 + 6 of the other, whose longest two are never together.
        Assert.Equal(new BatchLimits(21, 2, 15, 19), streams.Limits());
        Assert.Equal([[2, 1]], streams.Take(SampleKind.Harmful, step: 1));
        Assert.Equal(23, streams.TokensOf(SampleKind.Training, [2, 1]));
        var odd = data with { Pools = new Dictionary<SampleKind, SamplePool> { [SampleKind.Harmful] = new([Of(1)]) } };
        Assert.Equal(
            "4 harmless sides of pairs and 1 others; expected as many",
            Assert.Throws<InputException>(() => new SampleStreams(options, odd)).Message);
    }

    [Fact]
    public void DamagedFilesAreRefused() => Mutation.Run(
        Encoding.UTF8.GetBytes(string.Join('\n', Pair, Side("harmful", 0, [1, 5], [-100, 5]), Side("harmless", 0, [1, 6], [-100, 6]))),
        count: 5_000,
        seed: 5,
        static bytes => PairReader.Parse(bytes, "pairs.jsonl", DataForm.JsonLines, Form));

    private static string Side(string pool, int index, int[] ids, int[] labels) => FormattableString.Invariant(
        $"{{\"pool\": \"{pool}\", \"index\": {index}, \"input_ids\": [{string.Join(", ", ids)}], \"labels\": [{string.Join(", ", labels)}]}}");

    private static (SampleSet Harmless, SampleSet Harmful) Parse(params string[] lines) =>
        PairReader.Parse(Encoding.UTF8.GetBytes(string.Join('\n', lines)), "pairs.jsonl", DataForm.JsonLines, Form);

    private static string Refused(params string[] lines) => Assert.Throws<InputException>(() => Parse(lines)).Message;
}
