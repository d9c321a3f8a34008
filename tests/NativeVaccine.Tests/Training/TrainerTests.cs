using NativeVaccine.Data;
using NativeVaccine.Methods;
using NativeVaccine.Tests.Models;
using NativeVaccine.Training;

namespace NativeVaccine.Tests.Training;

public sealed class TrainerTests
{
    [Fact]
    public void TheSameSeedGivesTheSameRunAndAnotherAnother()
    {
        using var one = new SmallRun(SmallRun.OptionsFor("tvaccine"));
        using var again = new SmallRun(SmallRun.OptionsFor("tvaccine"));
        using var other = new SmallRun(SmallRun.OptionsFor("tvaccine") with { Seed = 7 });

        one.Train();
        again.Train();
        other.Train();

        Assert.Equal(one.State.Parameters, again.State.Parameters);
        Assert.NotEqual(one.State.Parameters, other.State.Parameters);
    }

    [Fact]
    public void AReplayGivesTheRunThatWroteIt()
    {
        using var folders = new TemporaryFolder();
        TrainingOptions options = SmallRun.OptionsFor("tvaccine") with
        {
            Accumulate = 2,
            Epochs = 4,
            Dropout = 0,
            InitAdapter = Fixtures.Path("traces", "tvaccine-micro", "initial"),
        };
        using (TrainingRun run = TrainingRun.Create(options, folders.File("first"))) run.Execute();
        options = options with { Seed = 7, Replay = folders.File("first", "replay.jsonl") };
        using (TrainingRun run = TrainingRun.Create(options, folders.File("second"))) run.Execute();

        Assert.Equal(
            File.ReadAllBytes(folders.File("first", "adapter", "adapter_model.safetensors")),
            File.ReadAllBytes(folders.File("second", "adapter", "adapter_model.safetensors")));
        Assert.Equal(File.ReadAllText(folders.File("first", "replay.jsonl")), File.ReadAllText(folders.File("second", "replay.jsonl")));
    }

    [Fact]
    public void AReplayWithMoreMicroBatchesThanPlannedIsRefused()
    {
        using var run = new SmallRun(SmallRun.OptionsFor("sft"));
        var data = run.Data with { Replay = [new ReplayStep(0, [[0], [1]])] };

        InputException exception = Assert.Throws<InputException>(() => new Trainer(run.Session, run.Method, run.Options, data));

        Assert.Equal("replay: step 0 has 2 micro-batches; expected at most 1 (--accumulate)", exception.Message);
    }

    [Fact]
    public void ALossThatIsNoNumberEndsTheRunBeforeItIsRecorded()
    {
        using var folders = new TemporaryFolder();
        TrainingOptions options = SmallRun.OptionsFor("sft") with { LearningRate = 1e30, WarmupRatio = 0, CheckpointEvery = 1 };
        using var run = new SmallRun(options);
        using RunFolder folder = RunFolder.Create(folders.File("run"), options);

        NotFiniteNumberException exception = Assert.Throws<NotFiniteNumberException>(() => run.Train(folder));

        Assert.StartsWith("step 1: the loss is ", exception.Message, StringComparison.Ordinal);
        Assert.Single(File.ReadAllLines(folders.File("run", "metrics.jsonl")));
    }

    [Fact]
    public void EpochsTokensAndSamplesAreCounted()
    {
        using var run = new SmallRun(SmallRun.OptionsFor("sft"));

        List<StepMetrics> metrics = run.Train();

        Assert.Equal([0, 0, 0, 0, 1, 1, 1, 1], metrics.Select(static step => step.Epoch));
        for (int epoch = 0; epoch < 2; epoch++)
            Assert.Equal(Enumerable.Range(0, 8), metrics.Skip(epoch * 4).Take(4).SelectMany(static step => step.Samples).Order());
        Assert.All(metrics, step => Assert.Equal(step.Samples.Sum(index => run.Data.Samples[index].InputIds.Length), step.Tokens));
        Assert.All(metrics, step => Assert.Equal(run.Session.Plan.TotalBytes, step.PeakBytes));
        Assert.All(metrics, static step => Assert.Null(step.Pass1Loss));
    }

    [Fact]
    public void TheHarmfulPoolIsWalkedByProbes()
    {
        using var run = new SmallRun(SmallRun.OptionsFor("tvaccine") with { ProbeEvery = 2 });

        List<StepMetrics> metrics = run.Train();

        Assert.Equal([true, false, true, false, true, false, true, false], metrics.Select(static step => step.ProbeSamples is not null));
        IEnumerable<StepMetrics> probes = metrics.Where(static step => step.ProbeSamples is not null);
        Assert.Equal([0, 1, 2, 3], probes.Select(static step => Assert.Single(step.ProbeSamples!)).Order());
        // J = 3: the layers of a choice stand for three steps.
        Assert.Equal(metrics[0].ActiveLayers, metrics[2].ActiveLayers);
        Assert.Equal(metrics[3].ActiveLayers, metrics[5].ActiveLayers);
    }
}
