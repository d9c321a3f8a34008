using System.Text;
using System.Text.Json.Nodes;
using NativeVaccine.Data;
using NativeVaccine.Methods;
using NativeVaccine.Training;

namespace NativeVaccine.Tests.Training;

public class ReplayFileTests
{
    /// <summary>A method that declares a field of every kind.</summary>
    private static readonly MethodInfo Method = new("all", static _ => new Sft())
    {
        Stages = [TrainingStage.Align],
        Replay =
        [
            new ReplayWord("state", "calm", "wild"),
            new ReplaySamples("discarded_samples", SampleKind.Training),
            new ReplaySamples("harmful_samples", SampleKind.Harmful),
            new ReplaySamples("fisher_samples", SampleKind.Fisher, InBatches: true),
            new ReplayLayers("active_layers"),
        ],
        States = new ReplayStates(
            "state", new Dictionary<string, SampleKind> { ["calm"] = SampleKind.Guide, ["wild"] = SampleKind.Training }),
    };

    [Theory]
    [InlineData("sft", 24)]
    [InlineData("vaccine", 24)]
    [InlineData("tvaccine-reference", 40)]
    [InlineData("tvaccine-paper", 32)]
    [InlineData("tvaccine-micro", 8)]
    [InlineData("lisa", 24)]
    [InlineData("ewc", 24)]
    [InlineData("kl", 24)]
    [InlineData("repnoise-beta0", 15)]
    [InlineData("booster", 24)]
    [InlineData("tar-lite", 24)]
    public void TracesAreReadAndWrittenAgain(string trace, int steps)
    {
        string path = Fixtures.Path("traces", trace, "replay.jsonl");
        MethodInfo method = MethodCatalog.Find(trace) ?? MethodCatalog.Find(trace.Split('-')[0])!;
        IReadOnlyList<ReplayStep> replay =
            ReplayFile.Read(path, method, static _ => 31, layerCount: 8, batch: static _ => 4);
        Assert.Equal(steps, replay.Count);
        string[] lines = File.ReadAllLines(path);
        for (int i = 0; i < steps; i++)
            Assert.True(JsonNode.DeepEquals(JsonNode.Parse(lines[i]), JsonNode.Parse(Written(replay[i], method))), lines[i]);
    }

    [Fact]
    public void AccumulatedStepsHaveTheirMicroBatches()
    {
        const string Line = """{"step":0,"micro_samples":[[3,1],[2]],"harmful_samples":[0,1,0]}""";
        ReplayStep step = Assert.Single(Parse(Line));
        Assert.Equal([[3, 1], [2]], step.Of(SampleKind.Training)!);
        Assert.Equal([[0, 1], [0]], step.Of(SampleKind.Harmful)!);
        Assert.Null(step.Of(SampleKind.Fisher));
        Assert.Null(step.Integers("active_layers"));
        Assert.Equal(Line + "\n", Written(step, Method));
    }

    [Theory]
    [InlineData("""{"step":0,"samples":[1],"state":"calm","discarded_samples":[3,2]}""", SampleKind.Guide)]
    [InlineData("""{"step":0,"samples":[1],"state":"wild"}""", SampleKind.Training)]
    public void AStateSaysWhereTheSamplesAreFrom(string line, SampleKind from)
    {
        ReplayStep step = Assert.Single(Parse(line));
        Assert.Equal([[1]], step.Of(from)!);
        if (from == SampleKind.Guide) Assert.Equal([[3, 2]], step.Of(SampleKind.Training)!);
        Assert.Equal(line + "\n", Written(step, Method));
    }

    [Fact]
    public void WhatTheMethodDoesNotDeclareIsNotLookedAt()
    {
        List<ReplayStep> steps = ReplayFile.Parse(
            "{\"step\":0,\"samples\":[1],\"active_layers\":[\"x\"],\"probe_samples\":[99]}"u8.ToArray(), "replay", Sft.Info, static _ => 2, 3, static _ => 2);
        Assert.Equal("{\"step\":0,\"samples\":[1]}\n", Written(Assert.Single(steps), Sft.Info));
    }

    [Theory]
    [InlineData("", "replay: no steps")]
    [InlineData("{\"step\": 1, \"samples\": [0]}", "replay:1: field 'step' is 1: expected 0")]
    [InlineData("{\"step\": 0, \"samples\": [0]}\n{\"step\": 0, \"samples\": [0]}", "replay:2: field 'step' is 0: expected 1")]
    [InlineData("{\"samples\": [0]}", "field 'step' is missing")]
    [InlineData("{\"step\": 0}", "field 'samples' is missing")]
    [InlineData("{\"step\": 0, \"samples\": []}", "field 'samples' is empty")]
    [InlineData("{\"step\": 0, \"samples\": [4]}", "names sample 4, but there are 4: expected 0 to 3")]
    [InlineData("{\"step\": 0, \"samples\": [-1]}", "names sample -1")]
    [InlineData("{\"step\": 0, \"micro_samples\": [[0], [4]]}", "names sample 4")]
    [InlineData("{\"step\": 0, \"micro_samples\": []}", "'micro_samples' is an array")]
    [InlineData("{\"step\": 0, \"samples\": [0], \"fisher_samples\": [[0], [2]]}", "names fisher sample 2")]
    [InlineData("{\"step\": 0, \"samples\": [0], \"state\": \"mild\"}", "field 'state' is a string: expected one of calm, wild")]
    [InlineData("{\"step\": 0, \"samples\": [0], \"harmful_samples\": [2]}", "names harmful sample 2")]
    [InlineData("{\"step\": 0, \"samples\": [0], \"active_layers\": [0, 3]}", "names layer 3")]
    [InlineData("{\"step\": 0, \"samples\": [0], \"active_layers\": [1, 1]}", "ascending")]
    [InlineData("{\"step\": 0, \"samples\": [0]}\n{", "replay:2: broken JSON")]
    [InlineData("[]", "expected an object")]
    public void SaysWhatIsWrongAndWhere(string content, string expected)
    {
        InputException exception = Assert.Throws<InputException>(() => Parse(content));
        Assert.Contains(expected, exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void DamagedFilesAreRefused() => Mutation.Run(
        File.ReadAllBytes(Fixtures.Path("traces", "tvaccine-micro", "replay.jsonl")),
        count: 10_000,
        seed: 3,
        bytes => ReplayFile.Parse(bytes, "replay", TVaccine.Info, static kind => kind == SampleKind.Training ? 8 : 4, layerCount: 4, batch: static _ => 2));

    private static List<ReplayStep> Parse(string content) => ReplayFile.Parse(
        Encoding.UTF8.GetBytes(content), "replay", Method, static kind => kind == SampleKind.Training ? 4 : 2, layerCount: 3, batch: static _ => 2);

    private static string Written(ReplayStep step, MethodInfo method)
    {
        using var stream = new MemoryStream();
        ReplayFile.Write(stream, step, method);
        return Encoding.UTF8.GetString(stream.ToArray());
    }
}
