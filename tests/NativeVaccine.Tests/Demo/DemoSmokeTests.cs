using System.Text.Json.Nodes;
using NativeVaccine.Cli.Demo;
using NativeVaccine.Models;
using NativeVaccine.Tests.Cli;
using NativeVaccine.Tests.Models;

namespace NativeVaccine.Tests.Demo;

/// <summary>The whole demo, too small to find anything, but with everything that it makes.</summary>
public sealed class DemoSmokeTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void TheDemoTellsItsStoryAndLeavesEverythingInItsFolder()
    {
        string run = folder.File("run");
        CommandResult result = Run("demo", "--seed", "7", "--seeds", "2", "--out", run);
        Assert.True(result.ExitCode == 0, result.Error);
        foreach (string arm in new[] { "unaligned", "SFT", "Vaccine", "T-Vaccine", "random noise" })
            Assert.Contains($"| {arm}", result.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("Booster", result.Output, StringComparison.Ordinal);
        Assert.Contains("attack step ", result.Output, StringComparison.Ordinal);
        Assert.Contains("Over 2 seeds", result.Output, StringComparison.Ordinal);
        Assert.Contains("not a lock", result.Output, StringComparison.Ordinal);

        JsonNode json = JsonNode.Parse(File.ReadAllText(Path.Combine(run, "results.json")))!;
        Assert.Equal([7, 8], json["seeds"]!.AsArray().Select(static seed => (int)seed!["seed"]!));
        JsonArray curve = json["seeds"]![0]!["arms"]![1]!["curve"]!.AsArray();
        Assert.Equal(Enumerable.Range(0, 11).Select(static look => 2 * look), curve.Select(static point => (int)point!["step"]!));
        Assert.Contains("| T-Vaccine |", File.ReadAllText(Path.Combine(run, "results.md")), StringComparison.Ordinal);

        string seed = Path.Combine(run, "seed-7");
        using ModelFolder model = ModelFolder.Open(Path.Combine(seed, "base", "model"));
        foreach (string arm in new[] { "sft", "vaccine", "t-vaccine", "random-noise" })
            Assert.Equal(16, Adapter.Load(Path.Combine(seed, arm, "alignment", "adapter"), model.Configuration).RequireUniform("").Alpha);

        CommandResult again = Run("demo", "--out", run);
        Assert.Equal(2, again.ExitCode);
    }

    private static CommandResult Run(params string[] arguments) =>
        CommandLine.Run(new DemoSettings(PretrainingSamples: 64, AlignmentEpochs: 1, AttackEpochs: 1), CancellationToken.None, arguments);
}
