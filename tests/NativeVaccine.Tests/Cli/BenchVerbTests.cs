using System.Text.Json.Nodes;
using NativeVaccine.Cli.Bench;
using NativeVaccine.Models;
using NativeVaccine.Tests.Models;

namespace NativeVaccine.Tests.Cli;

public sealed class BenchVerbTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("sft", 1)]
    [InlineData("vaccine", 1)]
    [InlineData("tvaccine", 2)]
    [InlineData("lisa", 2)]
    [InlineData("ewc", 2)]
    [InlineData("kl", 2)]
    [InlineData("vlguard", 1)]
    public void AStepIsTimedOnRandomWeightsAndTakesWhatThePlanSays(string method, int accumulate)
    {
        string json = folder.File("step.json");
        string[] layers = method == "tvaccine" ? ["--layers", "2"] : [];
        CommandLine.Succeed(
            ["bench", "step", "--shape", Fixtures.Path("micro-llama"), "--method", method, "--batch", "3", "--max-length", "9",
            "--accumulate", $"{accumulate}", "--steps", "3", "--warm-up", "1", "--json", json, .. layers]);
        JsonNode found = JsonNode.Parse(File.ReadAllText(json))!;
        Assert.Equal(method, (string)found["method"]!);
        Assert.Equal(3 * 9 * accumulate, (int)found["tokens"]!);
        Assert.Equal(3, found["seconds"]!.AsArray().Count);
        Assert.True((double)found["median_seconds"]! > 0);
        Assert.Equal((long)found["planned_bytes"]!, (long)found["taken_bytes"]!);
        Assert.InRange((double)found["loss"]!, 1, 20);
    }

    [Theory]
    [InlineData("vaccine", "mlp")]
    [InlineData("random-vaccine", "residual")]
    [InlineData("tvaccine", "residual")]
    public void AnotherSiteIsPlannedExactly(string method, string site)
    {
        string json = folder.File("step.json");
        string[] layers = method == "tvaccine" ? ["--layers", "2", "--layer-sampling", "upper"] : [];
        CommandLine.Succeed(
            ["bench", "step", "--shape", Fixtures.Path("micro-llama"), "--method", method, "--batch", "2", "--max-length", "9", "--steps", "1",
            "--perturb-site", site, "--perturb-samples", "refusals", "--json", json, .. layers]);
        JsonNode found = JsonNode.Parse(File.ReadAllText(json))!;

        Assert.Equal((long)found["planned_bytes"]!, (long)found["taken_bytes"]!);
        Assert.Equal((long)found["planned_bytes"]!, (long)found["used_bytes"]!);
    }

    [Fact]
    public void ForPeopleItIsTwoLines()
    {
        CommandResult result = CommandLine.Succeed(
            "bench", "step", "--shape", Fixtures.Path("micro-llama"), "--batch", "1", "--max-length", "4", "--steps", "1");
        Assert.Contains(" s a step (median of 1), 4 tokens, ", result.Output, StringComparison.Ordinal);
        Assert.Contains("0 layers recompute", result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void RandomWeightsDoNotDependOnThePiecesInWhichTheyAreRead()
    {
        const int length = 3_000_000; // more than the pool
        var weights = new RandomWeights();
        float[] whole = new float[length];
        weights.ReadFloat32("model.layers.0.mlp.up_proj.weight", whole);
        float[] piece = new float[length / 2];
        weights.ReadFloat32("model.layers.0.mlp.up_proj.weight", piece, length / 3);
        Assert.True(whole.AsSpan(length / 3, length / 2).SequenceEqual(piece));
        Assert.InRange(whole.Average(), -1e-4, 1e-4);
        Assert.InRange(Math.Sqrt(whole.Average(static value => (double)value * value)), 0.0199, 0.0201);

        float[] other = new float[length];
        new RandomWeights().ReadFloat32("model.layers.1.mlp.up_proj.weight", other);
        Assert.NotEqual(whole, other);
        weights.ReadFloat32(WeightNames.FinalNorm, piece);
        Assert.All(piece.Take(10), static value => Assert.Equal(1, value));
    }
}
