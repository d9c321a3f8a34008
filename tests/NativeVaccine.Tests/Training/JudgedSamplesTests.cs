using System.Text.Json;
using NativeVaccine.Data;
using NativeVaccine.Methods;
using NativeVaccine.Tests.Models;
using NativeVaccine.Training;

namespace NativeVaccine.Tests.Training;

/// <summary>A run that perturbs refusals alone knows which samples they are.</summary>
public sealed class JudgedSamplesTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void ARunSaysHowManyOfItsSamplesRefuse()
    {
        using TrainingRun run = TrainingRun.Create(
            Options("Sorry, I can't help with that.", "The Elbe.", "I cannot do that."), folder.File("run"));

        Assert.Contains(
            $"{folder.File("data.jsonl")}: 2 of 3 samples refuse, as the built-in judge reads their answers; they alone are perturbed", run.FileNotices);
    }

    [Fact]
    public void ARunWithoutARefusalIsRefused()
    {
        InputException exception = Assert.Throws<InputException>(() => TrainingRun.Create(Options("The Elbe.", "A heron."), folder.File("run")));

        Assert.Equal(
            $"{folder.File("data.jsonl")}: 0 of 2 samples refuse, as the built-in judge reads their answers; expected refusals, or --perturb-samples all",
            exception.Message);
        Assert.False(Directory.Exists(folder.File("run")));
    }

    [Fact]
    public void NobodyIsJudgedWhereAllArePerturbed()
    {
        using TrainingRun run = TrainingRun.Create(
            Options("Sorry, I can't help with that.").With("perturb_samples", PerturbSamples.All), folder.File("run"));

        Assert.DoesNotContain(run.FileNotices, static line => line.Contains("judge", StringComparison.Ordinal));
    }

    /// <summary>Rules of another version would make another run.</summary>
    [Fact]
    public void WhoRefusesIsAPartOfTheRun()
    {
        TrainingOptions options = SmallRun.OptionsFor("vaccine").With("perturb_samples", PerturbSamples.Refusals);
        IReadOnlyList<Sample> samples = SmallRun.Samples("align");
        string[] hashes =
        [
            .. new[] { 0, 1 }.Select(refusing => RunFingerprint.Of(
                options,
                new TrainingData([.. samples.Select((sample, index) => sample with { Refuses = [index == refusing] })]),
                new Dictionary<string, string>())["the training data"]),
        ];

        Assert.NotEqual(hashes[0], hashes[1]);
    }

    private TrainingOptions Options(params string[] outputs)
    {
        File.WriteAllLines(
            folder.File("data.jsonl"), outputs.Select(static output => JsonSerializer.Serialize(new { instruction = "Name something.", output })));
        return SmallRun.OptionsFor("vaccine").With("perturb_samples", PerturbSamples.Refusals) with { Data = folder.File("data.jsonl") };
    }
}
