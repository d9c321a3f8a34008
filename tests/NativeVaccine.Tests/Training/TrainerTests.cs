using NativeVaccine.Data;
using NativeVaccine.Engine;
using NativeVaccine.Methods;
using NativeVaccine.Tests.Models;
using NativeVaccine.Tests.TorchReference;
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

    [Theory]
    [InlineData("tvaccine")]
    [InlineData("lisa")]
    [InlineData("ewc")]
    [InlineData("kl")]
    [InlineData("vlguard")]
    public void AReplayGivesTheRunThatWroteIt(string method)
    {
        using var folders = new TemporaryFolder();
        TrainingOptions options = SmallRun.OptionsFor(method) with
        {
            LoraAlpha = 4,
            Accumulate = 2,
            Epochs = 4,
            Dropout = 0,
            InitAdapter = Fixtures.Path("traces", "tvaccine-micro", "initial"),
        };
        using (TrainingRun run = TrainingRun.Create(options, folders.File("first"))) run.Execute();
        // Which state a step of Lisa's has is followed too.
        options = options.With("guide_steps", 5) with { Seed = 7, Replay = folders.File("first", "replay.jsonl") };
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

    [Theory]
    [InlineData("sft", 2.0)]
    [InlineData("vaccine", 0.0)]
    [InlineData("tvaccine", 0.0)]
    public void OverAllLabelsTwoMicroBatchesAreOneBatch(string method, double rho)
    {
        // A perturbation belongs to a micro-batch, whose norm it is given, so methods that have one agree where it is nothing.
        TrainingOptions options = SmallRun.OptionsFor(method).With("rho", rho) with { Dropout = 0, WarmupRatio = 0, Accumulate = 2 };
        StepMetrics together = Step(options, [[0, 1]], out float[] expected);
        StepMetrics apart = Step(options with { LossMean = LossMean.Tokens }, [[0], [1]], out float[] found);
        StepMetrics mean = Step(options, [[0], [1]], out _);

        Near.Equal("loss", together.Loss, apart.Loss, 0, 1e-5);
        Near.Equal("gradient norm", together.GradientNorm, apart.GradientNorm, 0, 1e-5);
        Assert.True(expected.Zip(found, static (a, b) => Math.Abs(a - b)).Max() < 1e-6);
        Assert.True(Math.Abs(mean.Loss - together.Loss) > 1e-4 * together.Loss, $"{mean.Loss} and {together.Loss}");
    }

    [Theory]
    [InlineData("vaccine")]
    [InlineData("tvaccine")]
    [InlineData("random-vaccine")]
    public void AMicroBatchWeighsByItsLabels(string method)
    {
        TrainingOptions options = SmallRun.OptionsFor(method) with { Dropout = 0, LearningRate = 0, Accumulate = 2, LossMean = LossMean.Tokens };
        using var run = new SmallRun(options);
        int[] labels = [run.Data.Samples[0].LabelCount, run.Data.Samples[1].LabelCount];
        Assert.NotEqual(labels[0], labels[1]);

        double loss = Step(options, [[0], [1]], out _).Loss;
        double first = Step(options, [[0]], out _).Loss;
        // Of the second micro-batch with the random numbers that belong to it: both losses with equal weights, less the first.
        double second = (2 * Step(options with { LossMean = LossMean.Batch }, [[0], [1]], out _).Loss) - first;

        Near.Equal("loss", ((labels[0] * first) + (labels[1] * second)) / labels.Sum(), loss, 0, 1e-6);
    }

    [Fact]
    public void ARunInWhichNothingIsLearnedSaysSo()
    {
        using var one = new SmallRun(SmallRun.OptionsFor("sft") with { Batch = 8, Epochs = 1 });
        using var zero = new SmallRun(SmallRun.OptionsFor("sft") with { LearningRate = 0 });
        using var usual = new SmallRun(SmallRun.OptionsFor("sft"));

        one.Train();
        zero.Train();
        usual.Train();

        Assert.Equal(
            ["every step has learning rate 0 (1 step, 1 of warm-up): nothing is learned; expected more steps, or a smaller --warmup-ratio"],
            one.Notices);
        Assert.Equal(
            ["every step has learning rate 0 (8 steps, 1 of warm-up): nothing is learned; expected a --learning-rate above 0"], zero.Notices);
        Assert.Empty(usual.Notices);
    }

    [Fact]
    public void ARunWithADroppedRecordCanBeFollowed()
    {
        using var folders = new TemporaryFolder();
        TrainingOptions options = WithDroppedRecord(folders) with { Dropout = 0, InitAdapter = Fixtures.Path("traces", "tvaccine-micro", "initial") };
        using (TrainingRun run = TrainingRun.Create(options, folders.File("first"))) run.Execute();
        options = options with { Seed = 7, Replay = folders.File("first", "replay.jsonl") };
        using (TrainingRun run = TrainingRun.Create(options, folders.File("second"))) run.Execute();

        string replay = File.ReadAllText(folders.File("first", "replay.jsonl"));
        Assert.Contains("8", replay, StringComparison.Ordinal); // the last of nine records
        Assert.Equal(replay, File.ReadAllText(folders.File("second", "replay.jsonl")));
        Assert.Equal(
            File.ReadAllBytes(folders.File("first", "adapter", "adapter_model.safetensors")),
            File.ReadAllBytes(folders.File("second", "adapter", "adapter_model.safetensors")));
    }

    [Fact]
    public void ADroppedRecordCountsNothingInItsBatch()
    {
        using var folders = new TemporaryFolder();
        TrainingOptions options = WithDroppedRecord(folders) with { Dropout = 0, Accumulate = 2, Replay = folders.File("replay.jsonl") };
        File.WriteAllLines(folders.File("replay.jsonl"),
        [
            """{"step":0,"samples":[1,0,8],"probe_samples":[1,0],"active_layers":[0,1]}""",
            """{"step":1,"micro_samples":[[0],[2,3]],"active_layers":[1,2]}""",
        ]);
        using (TrainingRun run = TrainingRun.Create(options, folders.File("run")))
        {
            Assert.Equal(
                [$"{options.Replay}: 3 of the records that it names have no label left and count nothing in their batches"], run.FileNotices);
            run.Execute();
        }
        Assert.Equal(
            [
                """{"step":0,"samples":[1,8],"probe_samples":[1],"active_layers":[0,1]}""",
                """{"step":1,"samples":[2,3],"active_layers":[1,2]}""",
            ],
            File.ReadAllLines(folders.File("run", "replay.jsonl")));

        File.WriteAllText(folders.File("replay.jsonl"), """{"step":0,"samples":[0],"probe_samples":[1],"active_layers":[0,1]}""");
        Refusal.Of(
            () => TrainingRun.Create(options, folders.File("other")),
            $"{options.Replay}: step 0: none of its training samples has a label left; expected at least one that counts");
        File.WriteAllText(folders.File("replay.jsonl"), """{"step":0,"samples":[9],"probe_samples":[1],"active_layers":[0,1]}""");
        Refusal.Of(() => TrainingRun.Create(options, folders.File("other")), $"{options.Replay}:1: field 'samples' names sample 9");
    }

    /// <summary>Options for both pools with a record without labels before the others.</summary>
    private static TrainingOptions WithDroppedRecord(TemporaryFolder folders)
    {
        string[] lines = File.ReadAllLines(SmallRun.SampleFile);
        foreach (string pool in new[] { "align", "harmful" })
        {
            string empty = $$"""{"input_ids":[1,5,6],"labels":[-100,-100,-100],"pool":"{{pool}}"}""";
            IEnumerable<string> ofPool = lines.Where(line => line.Contains($"\"{pool}\"", StringComparison.Ordinal));
            File.WriteAllLines(folders.File($"{pool}.jsonl"), [empty, .. ofPool]);
        }
        return SmallRun.OptionsFor("tvaccine").With("harmful_data", folders.File("harmful.jsonl")) with { Data = folders.File("align.jsonl") };
    }

    /// <summary>One step of a fresh run over some samples; its first moments are a tenth of its gradient.</summary>
    private static StepMetrics Step(TrainingOptions options, int[][] batches, out float[] moments)
    {
        using var run = new SmallRun(options);
        var metrics = new List<StepMetrics>();
        var data = run.Data with { Replay = [new ReplayStep(0, batches)] };
        new Trainer(run.Session, run.Method, options, data) { StepDone = metrics.Add }.Run();
        moments = run.State.First;
        return Assert.Single(metrics);
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
        Assert.All(metrics, static step => Assert.Empty(step.Values));
    }

    [Theory]
    [InlineData("booster", 2, 0, 0)]
    [InlineData("tar-lite", 2, 0, 0)]
    [InlineData("tar", 3, 2, 2)]
    public void AMethodTakesTheBytesOfWhatItNeeds(string method, int vectors, int moments, int residualSites)
    {
        using var run = new SmallRun(SmallRun.OptionsFor(method) with { Epochs = 1 });
        SessionOptions same = run.Session.Plan.Options with
        {
            ExtraVectors = vectors,
            Optimizers = 1 + (moments / 2),
            ResidualSites = residualSites > 0 ? new SiteBudget(residualSites) : default,
        };
        using MemoryPlan plan = MemoryPlan.Create(run.Device, run.Session.Configuration, same);
        long vectorBytes = Bytes(run, same with { ExtraVectors = vectors + 1 }) - plan.TotalBytes;

        Assert.All(run.Train(), step => Assert.Equal(plan.TotalBytes, step.PeakBytes));

        Assert.Equal((plan.TotalBytes, plan.TotalBytes), run.Session.Memory);
        Assert.InRange(vectorBytes, run.Session.Parameters.Length * sizeof(float), (run.Session.Parameters.Length * sizeof(float)) + 255);
        if (method == "booster")
        {
            using var addsBack = new SmallRun(SmallRun.OptionsFor(method).With("restore", InnerRestore.AddBack));
            Assert.Equal(plan.TotalBytes - vectorBytes, addsBack.Session.Memory.Used);
        }
    }

    private static long Bytes(SmallRun run, SessionOptions options)
    {
        using MemoryPlan plan = MemoryPlan.Create(run.Device, run.Session.Configuration, options);
        return plan.TotalBytes;
    }

    [Fact]
    public void ABatchThatEndsInTheNextRoundOfItsPoolFitsThePlan()
    {
        // Of three samples in twos, a batch may have the longest twice.
        Sample[] harmful = [Sample(30), Sample(4), Sample(5)];
        TrainingOptions options = SmallRun.OptionsFor("booster") with { Batch = 2 };
        var data = new TrainingData([Sample(3), Sample(3)]) { Pools = new Dictionary<SampleKind, SamplePool> { [SampleKind.Harmful] = new(harmful) } };
        var streams = new SampleStreams(options, data);

        int[][] taken = [.. Enumerable.Range(0, 60).SelectMany(step => streams.Take(SampleKind.Harmful, step))];

        Assert.Contains(taken, static batch => batch.SequenceEqual([0, 0]));
        Assert.Equal(60, streams.Limits().MaxTokens);
        Assert.Equal(30 + 4 + 5, new SampleStreams(options with { Batch = 3 }, data).Limits().MaxTokens);
    }

    private static Sample Sample(int length) => new([.. Enumerable.Repeat(5, length)], [.. Enumerable.Repeat(5, length)]);

    [Fact]
    public void AHarmfulBatchOfItsOwnSizeGoesThroughAtOnce()
    {
        TrainingOptions options = SmallRun.OptionsFor("booster").With("harmful_batch", 3);
        using var run = new SmallRun(options);

        Assert.All(run.Train(), static step => Assert.Equal(3, step.Integers("harmful_samples")!.Count));

        var streams = new SampleStreams(options, run.Data);
        Assert.Equal(3, Assert.Single(streams.Take(SampleKind.Harmful, 0)).Length);
        Assert.Equal(3, TrainingPlan.For(options, run.Method, TestDevice.Types).MaxSamples);
    }

    [Fact]
    public void WhatIsHeldOutIsNeverTrainedOn()
    {
        using var folders = new TemporaryFolder();
        TrainingOptions options = SmallRun.OptionsFor("tar") with { Epochs = 1, InitAdapter = Fixtures.Path("traces", "tvaccine-micro", "initial") };
        using (TrainingRun run = TrainingRun.Create(options, folders.File("first"))) run.Execute();
        using (TrainingRun run = TrainingRun.Create(options with { Seed = 7, Dropout = 0, Replay = folders.File("first", "replay.jsonl") }, folders.File("second")))
            run.Execute();

        string[] lines = File.ReadAllLines(folders.File("first", "replay.jsonl"));
        foreach (string line in lines)
        {
            using var json = System.Text.Json.JsonDocument.Parse(line);
            Assert.Equal(3, json.RootElement.GetProperty("harmful_samples").GetArrayLength());
            Assert.DoesNotContain(3, Flat(json.RootElement.GetProperty("harmful_samples")));
            Assert.All(Flat(json.RootElement.GetProperty("held_out_samples")), static sample => Assert.Equal(3, sample));
        }
        Assert.Equal(lines, File.ReadAllLines(folders.File("second", "replay.jsonl")));

        File.WriteAllText(folders.File("replay.jsonl"), """{"step":0,"samples":[0],"harmful_samples":[[0],[1]],"held_out_samples":[[3]]}""");
        using TrainingRun other = TrainingRun.Create(options with { Replay = folders.File("replay.jsonl") }, folders.File("third"));
        Refusal.Of(
            () => other.Execute(),
            "replay: step 0 has 2 harmful micro-batches; expected a multiple of the 3 times that they are taken");

        static int[] Flat(System.Text.Json.JsonElement batches) =>
            [.. batches.EnumerateArray().SelectMany(static batch => batch.EnumerateArray()).Select(static sample => sample.GetInt32())];
    }

    [Fact]
    public void TooFewToHoldOneOutAreRefused()
    {
        using var folders = new TemporaryFolder();
        string harmful = folders.File("harmful.jsonl");
        File.WriteAllLines(harmful, Enumerable.Repeat("""{"input_ids":[1,5,6],"labels":[-100,5,6]}""", 3));
        Refusal.Of(
            () => TrainingRun.Create(SmallRun.OptionsFor("tar").With("harmful_data", harmful), folders.File("run")),
            $"{harmful}: 3 samples, of which one in 4 is held out; expected at least 4");
    }

    [Fact]
    public void TheHarmfulPoolIsWalkedByProbes()
    {
        using var run = new SmallRun(SmallRun.OptionsFor("tvaccine").With("probe_every", 2));

        List<StepMetrics> metrics = run.Train();

        Assert.Equal([true, false, true, false, true, false, true, false], metrics.Select(static step => step.Integers("probe_samples") is not null));
        IEnumerable<StepMetrics> probes = metrics.Where(static step => step.Integers("probe_samples") is not null);
        Assert.Equal([0, 1, 2, 3], probes.Select(static step => Assert.Single(step.Integers("probe_samples")!)).Order());
        // J = 3: the layers of a choice stand for three steps.
        Assert.Equal(metrics[0].Integers("active_layers"), metrics[2].Integers("active_layers"));
        Assert.Equal(metrics[3].Integers("active_layers"), metrics[5].Integers("active_layers"));
    }
}
