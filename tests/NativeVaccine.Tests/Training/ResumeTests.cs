using System.Text.RegularExpressions;
using NativeVaccine.Data;
using NativeVaccine.Methods;
using NativeVaccine.Tests.Models;
using NativeVaccine.Training;

namespace NativeVaccine.Tests.Training;

/// <summary>A run that was stopped and resumed is bit-identical to one that was not.</summary>
public sealed partial class ResumeTests
{
    private sealed class Killed : Exception;

    public static TheoryData<string, int> Stops()
    {
        var data = new TheoryData<string, int>();
        foreach (string method in MethodCatalog.Names)
        {
            foreach (int stop in new[] { 1, 3, 6 }) data.Add(method, stop);
        }
        return data;
    }

    [Theory]
    [MemberData(nameof(Stops))]
    public void AStoppedRunGoesOnAsIfItHadNotStopped(string method, int stop)
    {
        using var folders = new TemporaryFolder();
        TrainingOptions options = SmallRun.OptionsFor(method);
        using SmallRun straight = RunStraight(folders, options);
        Stop(folders, options, afterSteps: stop);

        using var second = new SmallRun(options);
        using (RunFolder folder = RunFolder.Resume(folders.File("resumed")))
            Assert.Equal(SmallRun.TotalSteps - stop, second.Train(folder).Count);

        AssertSameRun(folders, straight, second);
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public void AStoppedRunThatAccumulatesGoesOnToo(string method)
    {
        const int Steps = 4;
        using var folders = new TemporaryFolder();
        TrainingOptions options = SmallRun.OptionsFor(method) with { Accumulate = 2 };
        using SmallRun straight = RunStraight(folders, options);
        Stop(folders, options, afterSteps: 1);

        using var second = new SmallRun(options);
        using (RunFolder folder = RunFolder.Resume(folders.File("resumed"))) Assert.Equal(Steps - 1, second.Train(folder).Count);

        AssertSameRun(folders, straight, second, Steps);
    }

    /// <summary>Stopped where the steps are still perturbed, and where they are plain.</summary>
    [Theory]
    [InlineData("vaccine", PerturbSite.Mlp, LayerSampling.Gradient, 1)]
    [InlineData("random-vaccine", PerturbSite.Residual, LayerSampling.Gradient, 5)]
    [InlineData("tvaccine", PerturbSite.Residual, LayerSampling.Inverse, 1)]
    [InlineData("tvaccine", PerturbSite.Mlp, LayerSampling.Upper, 5)]
    public void AStoppedAblationGoesOnToo(string method, PerturbSite site, LayerSampling sampling, int stop)
    {
        using var folders = new TemporaryFolder();
        TrainingOptions options = SmallRun.OptionsFor(method)
            .With("perturb_site", site)
            .With("perturb_samples", PerturbSamples.Refusals)
            .With("perturb_until", 0.5)
            .With("layer_sampling", sampling);
        using SmallRun straight = RunStraight(folders, options);
        Stop(folders, options, afterSteps: stop);

        using var second = new SmallRun(options);
        using (RunFolder folder = RunFolder.Resume(folders.File("resumed"))) Assert.Equal(SmallRun.TotalSteps - stop, second.Train(folder).Count);

        AssertSameRun(folders, straight, second);
    }

    public static TheoryData<string> Methods() => [.. MethodCatalog.Names];

    /// <summary>The same in half the steps on fewer and shorter samples: short enough for a GPU that is interpreted.</summary>
    [Fact]
    public void AShortRunThatWasStoppedGoesOnAsIfItHadNot()
    {
        const int Steps = 4;
        using var folders = new TemporaryFolder();
        TrainingOptions options = SmallRun.OptionsFor("tvaccine") with { MaxLength = 100 }; // leaves three samples
        using SmallRun straight = RunStraight(folders, options);
        Stop(folders, options, afterSteps: 2);

        using var second = new SmallRun(options);
        using (RunFolder folder = RunFolder.Resume(folders.File("resumed"))) Assert.Equal(Steps - 2, second.Train(folder).Count);

        AssertSameRun(folders, straight, second, Steps);
    }

    [Fact]
    public void AKilledRunGoesOnFromItsLastCheckpoint()
    {
        using var folders = new TemporaryFolder();
        TrainingOptions options = SmallRun.OptionsFor("tvaccine") with { CheckpointEvery = 2 };
        using SmallRun straight = RunStraight(folders, options);
        Kill(folders, options, afterStep: 4);
        File.AppendAllText(folders.File("resumed", "metrics.jsonl"), "{\"step\":5,\"lo");

        using var second = new SmallRun(options);
        using (RunFolder folder = RunFolder.Resume(folders.File("resumed"))) Assert.Equal(4, second.Train(folder)[0].Step);

        AssertSameRun(folders, straight, second);
    }

    [Fact]
    public void ARunKilledBeforeItsFirstCheckpointBeginsAgain()
    {
        using var folders = new TemporaryFolder();
        TrainingOptions options = SmallRun.OptionsFor("sft");
        using SmallRun straight = RunStraight(folders, options);
        Kill(folders, options, afterStep: 2);

        using var second = new SmallRun(options);
        using (RunFolder folder = RunFolder.Resume(folders.File("resumed"))) Assert.Equal(SmallRun.TotalSteps, second.Train(folder).Count);

        AssertSameRun(folders, straight, second);
    }

    /// <summary>What EWC does before the first step stops where it is, and a resumed run does it again.</summary>
    [Fact]
    public void ARunStoppedBeforeItsFirstStepBeginsAgain()
    {
        using var folders = new TemporaryFolder();
        TrainingOptions options = SmallRun.OptionsFor("ewc");
        using SmallRun straight = RunStraight(folders, options);
        using (RunFolder folder = RunFolder.Create(folders.File("resumed"), options))
        using (var stopped = new SmallRun(options))
        using (var cancellation = new CancellationTokenSource())
        {
            // Cancelled when the importance of weights is measured: once the run has begun, only that reads these samples.
            bool hasBegun = false;
            var watched = new WatchedSamples(stopped.Data.Pools[SampleKind.Fisher].Samples, () =>
            {
                if (hasBegun) cancellation.Cancel();
            });
            TrainingData data = stopped.Data with { Pools = new Dictionary<SampleKind, SamplePool> { [SampleKind.Fisher] = new(watched) } };
            var trainer = new Trainer(stopped.Session, stopped.Method, options, data)
            {
                Folder = folder,
                Beginning = _ => hasBegun = true,
                StepDone = static step => Assert.Fail($"step {step.Step} was done"),
            };
            Exception exception = Assert.Throws<OperationCanceledException>(() => trainer.Run(cancellation.Token));
            Assert.Equal($"stopped before step 0 of {SmallRun.TotalSteps}", exception.Message);
        }
        Assert.Empty(Directory.GetFiles(folders.File("resumed", "checkpoints"), "*.checkpoint"));

        using var second = new SmallRun(options);
        using (RunFolder folder = RunFolder.Resume(folders.File("resumed"))) Assert.Equal(SmallRun.TotalSteps, second.Train(folder).Count);

        AssertSameRun(folders, straight, second);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void ATornOrDamagedCheckpointGivesWayToTheOneBefore(bool isTorn)
    {
        using var folders = new TemporaryFolder();
        TrainingOptions options = SmallRun.OptionsFor("tvaccine") with { CheckpointEvery = 2 };
        using SmallRun straight = RunStraight(folders, options);
        Kill(folders, options, afterStep: 6);
        string[] checkpoints = [.. Directory.GetFiles(folders.File("resumed", "checkpoints"), "*.checkpoint").Order()];
        Assert.Equal(["step-000000004.checkpoint", "step-000000006.checkpoint"], checkpoints.Select(Path.GetFileName));
        Damage(checkpoints[1], isTorn);

        using var second = new SmallRun(options);
        using (RunFolder folder = RunFolder.Resume(folders.File("resumed"))) Assert.Equal(4, second.Train(folder)[0].Step);

        string expected = isTorn ? "the checkpoint is torn" : "the checkpoint is damaged";
        Assert.Contains(second.Notices, notice => notice.Contains(expected, StringComparison.Ordinal));
        AssertSameRun(folders, straight, second);
    }

    [Fact]
    public void WithoutAGoodCheckpointNothingIsThrownAway()
    {
        using var folders = new TemporaryFolder();
        TrainingOptions options = SmallRun.OptionsFor("sft") with { CheckpointEvery = 2 };
        Kill(folders, options, afterStep: 4);
        foreach (string checkpoint in Directory.GetFiles(folders.File("resumed", "checkpoints"), "*.checkpoint")) Damage(checkpoint, isTorn: false);
        string metrics = File.ReadAllText(folders.File("resumed", "metrics.jsonl"));

        using var second = new SmallRun(options);
        using RunFolder folder = RunFolder.Resume(folders.File("resumed"));
        InputException exception = Assert.Throws<InputException>(() => second.Train(folder));

        Assert.Contains("no checkpoint can be used; remove the folder", exception.Message, StringComparison.Ordinal);
        Assert.Equal(metrics, File.ReadAllText(folders.File("resumed", "metrics.jsonl")));
    }

    [Fact]
    public void AnotherSeedIsRefused()
    {
        using var folders = new TemporaryFolder();
        TrainingOptions options = SmallRun.OptionsFor("sft") with { CheckpointEvery = 2 };
        Kill(folders, options, afterStep: 4);

        using var second = new SmallRun(options with { Seed = 43 });
        using RunFolder folder = RunFolder.Resume(folders.File("resumed"));
        InputException exception = Assert.Throws<InputException>(() => second.Train(folder));

        Assert.Contains("changed since the run began: seed (42, now 43); expected the same run", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void SeededByteMutationsOfACheckpointAreAllRefused()
    {
        using var folders = new TemporaryFolder();
        TrainingOptions options = SmallRun.OptionsFor("sft") with { CheckpointEvery = 4, LoraRank = 1, LoraTargets = ["k_proj"] };
        Kill(folders, options, afterStep: 4);
        string path = Directory.GetFiles(folders.File("resumed", "checkpoints"), "*.checkpoint").Single();
        byte[] original = File.ReadAllBytes(path);
        Assert.Equal(4, CheckpointFile.ReadHeader(path).Step);

        Mutation.Run(original, 1000, seed: 1, damaged =>
        {
            if (damaged.AsSpan().SequenceEqual(original)) return;
            File.WriteAllBytes(path, damaged);
            CheckpointFile.ReadHeader(path);
            Assert.Fail("a damaged checkpoint was accepted");
        });
    }

    [Theory]
    [InlineData("vaccine")]
    [InlineData("tar")]
    public void FullTrainingResumesToo(string method)
    {
        using var folders = new TemporaryFolder();
        TrainingOptions options = SmallRun.OptionsFor(method) with { Full = true, LearningRate = 1e-3 };
        using SmallRun straight = RunStraight(folders, options);
        Stop(folders, options, afterSteps: 3);

        using var second = new SmallRun(options);
        using (RunFolder folder = RunFolder.Resume(folders.File("resumed"))) second.Train(folder);

        AssertSameRun(folders, straight, second);
    }

    /// <summary>Its beginning is what KL compares with, and nothing else of the run has it.</summary>
    [Fact]
    public void AContinuedAdapterIsRememberedAsItBegan()
    {
        using var folders = new TemporaryFolder();
        TrainingOptions options = SmallRun.OptionsFor("kl").With("lambda", 10.0) with
        {
            InitAdapter = Fixtures.Path("traces", "tvaccine-micro", "final"),
            LoraAlpha = 4,
            Accumulate = 2,
            Epochs = 4,
        };
        using SmallRun straight = RunStraight(folders, options);
        Stop(folders, options, afterSteps: 3);

        using var second = new SmallRun(options);
        using (RunFolder folder = RunFolder.Resume(folders.File("resumed"))) second.Train(folder);

        AssertSameRun(folders, straight, second);
    }

    /// <summary>Samples that tell when one is read.</summary>
    private sealed class WatchedSamples(IReadOnlyList<Sample> samples, Action isRead) : IReadOnlyList<Sample>
    {
        public int Count => samples.Count;

        public Sample this[int index]
        {
            get
            {
                isRead();
                return samples[index];
            }
        }

        public IEnumerator<Sample> GetEnumerator() => samples.GetEnumerator();

        System.Collections.IEnumerator System.Collections.IEnumerable.GetEnumerator() => GetEnumerator();
    }

    private static SmallRun RunStraight(TemporaryFolder folders, TrainingOptions options)
    {
        var run = new SmallRun(options);
        using RunFolder folder = RunFolder.Create(folders.File("straight"), options);
        run.Train(folder);
        return run;
    }

    /// <summary>Runs some steps and is cancelled then, as by Ctrl-C.</summary>
    private static void Stop(TemporaryFolder folders, TrainingOptions options, int afterSteps)
    {
        using RunFolder folder = RunFolder.Create(folders.File("resumed"), options);
        using var run = new SmallRun(options);
        using var cancellation = new CancellationTokenSource();
        Assert.Throws<OperationCanceledException>(() => run.Train(
            folder,
            step =>
            {
                if (step.Step + 1 == afterSteps) cancellation.Cancel();
            },
            cancellation.Token));
    }

    /// <summary>Runs until a step and drops everything then and there, without a checkpoint, as a killed process does.</summary>
    private static void Kill(TemporaryFolder folders, TrainingOptions options, int afterStep)
    {
        using RunFolder folder = RunFolder.Create(folders.File("resumed"), options);
        using var run = new SmallRun(options);
        Assert.Throws<Killed>(() => run.Train(folder, step =>
        {
            if (step.Step == afterStep) throw new Killed();
        }));
    }

    private static void Damage(string file, bool isTorn)
    {
        byte[] bytes = File.ReadAllBytes(file);
        if (isTorn) Array.Resize(ref bytes, bytes.Length / 2);
        else bytes[^1000] ^= 1;
        File.WriteAllBytes(file, bytes);
    }

    private static void AssertSameRun(
        TemporaryFolder folders, SmallRun straight, SmallRun resumed, int steps = 8)
    {
        Assert.Equal(straight.State.Parameters, resumed.State.Parameters);
        Assert.Equal(straight.State.First, resumed.State.First);
        Assert.Equal(straight.State.Second, resumed.State.Second);
        Assert.Equal(straight.State.Steps, resumed.State.Steps);
        foreach (string file in new[] { "metrics.jsonl", "replay.jsonl" })
        {
            string[] lines = Lines(folders, "straight", file);
            Assert.Equal(steps, lines.Length);
            Assert.Equal(lines, Lines(folders, "resumed", file));
        }
    }

    /// <summary>Of all that a step writes, only its duration may differ.</summary>
    private static string[] Lines(TemporaryFolder folders, string run, string file)
    {
        string[] lines = File.ReadAllLines(folders.File(run, file));
        return [.. lines.Select(static line => Seconds().Replace(line, ""))];
    }

    [GeneratedRegex("\"seconds\":[^,]*,")]
    private static partial Regex Seconds();
}
