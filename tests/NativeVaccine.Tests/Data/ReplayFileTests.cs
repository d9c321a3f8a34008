using System.Text;
using System.Text.Json.Nodes;
using NativeVaccine.Data;

namespace NativeVaccine.Tests.Data;

public class ReplayFileTests
{
    [Theory]
    [InlineData("sft", 24)]
    [InlineData("vaccine", 24)]
    [InlineData("tvaccine-reference", 40)]
    [InlineData("tvaccine-paper", 32)]
    [InlineData("tvaccine-micro", 8)]
    public void TracesAreReadAndWrittenAgain(string trace, int steps)
    {
        string path = Fixtures.Path("traces", trace, "replay.jsonl");
        IReadOnlyList<ReplayStep> replay = ReplayFile.Read(path, sampleCount: 30, harmfulCount: 12, layerCount: 8);
        Assert.Equal(steps, replay.Count);
        string[] lines = File.ReadAllLines(path);
        for (int i = 0; i < steps; i++)
            Assert.True(JsonNode.DeepEquals(JsonNode.Parse(lines[i]), JsonNode.Parse(Written(replay[i]))), lines[i]);
    }

    [Fact]
    public void AccumulatedStepsHaveTheirMicroBatches()
    {
        const string Line = """{"step":0,"micro_samples":[[3,1],[2]],"harmful_samples":[0]}""";
        ReplayStep step = Assert.Single(Parse(Line));
        Assert.Equal([[3, 1], [2]], step.MicroBatches);
        Assert.Equal([0], step.HarmfulSamples!);
        Assert.Null(step.ProbeSamples);
        Assert.Null(step.ActiveLayers);
        Assert.Equal(Line + "\n", Written(step));
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
    [InlineData("{\"step\": 0, \"samples\": [0], \"probe_samples\": [2]}", "names harmful sample 2")]
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
        bytes => ReplayFile.Parse(bytes, "replay", sampleCount: 8, harmfulCount: 4, layerCount: 4));

    private static List<ReplayStep> Parse(string content) =>
        ReplayFile.Parse(Encoding.UTF8.GetBytes(content), "replay", sampleCount: 4, harmfulCount: 2, layerCount: 3);

    private static string Written(ReplayStep step)
    {
        using var stream = new MemoryStream();
        ReplayFile.Write(stream, step);
        return Encoding.UTF8.GetString(stream.ToArray());
    }
}
