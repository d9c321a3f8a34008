using System.Text.Json.Nodes;
using NativeVaccine.Data;
using NativeVaccine.Engine;
using NativeVaccine.Methods;
using NativeVaccine.Models;
using NativeVaccine.Tests.Engine;
using NativeVaccine.Tests.Models;
using NativeVaccine.Training;

namespace NativeVaccine.Tests.Training;

/// <summary>What the methods for fine-tuning do with their samples, their vectors and their options.</summary>
public sealed class FinetuningMethodTests : IDisposable
{
    private readonly TemporaryFolder folders = new();

    public void Dispose() => folders.Dispose();

    [Fact]
    public void LisaTakesTurnsWhichTheUsersDataCounts()
    {
        using var lisa = new SmallRun(SmallRun.OptionsFor("lisa"));
        using var sft = new SmallRun(SmallRun.OptionsFor("sft"));

        List<StepMetrics> steps = lisa.Train();

        Assert.Equal(
            ["guide", "guide", "user", "user", "user", "guide", "guide", "user"], steps.Select(static step => (string)step.Values["state"]));
        // The user's samples are those that SFT takes, whether a step trains on them or drops them.
        Assert.Equal(
            sft.Train().Select(static step => step.Samples),
            steps.Select(static step => step.Integers("discarded_user_samples") ?? step.Samples));
        Assert.Equal(Enumerable.Range(0, 4), steps.Where(IsGuide).SelectMany(static step => step.Samples).Take(4).Order());
        Assert.All(steps.Where(IsGuide), step => Assert.Equal(step.Samples.Sum(
            index => lisa.Data.Pools[SampleKind.Guide].Samples[index].InputIds.Length), step.Tokens));
        Assert.All(steps.Where(static step => !IsGuide(step)), static step => Assert.Null(step.Integers("discarded_user_samples")));
        // Step 0 has learning rate 0, and a state begins where the other one left the weights.
        Assert.Equal([false, false, false, true, true, false, true, false], steps.Select(static step => step.Number("proximal") > 0));

        static bool IsGuide(StepMetrics step) => (string)step.Values["state"] == "guide";
    }

    [Fact]
    public void AGuideStepThatIsFollowedNeedNotHaveDrawnUserSamples()
    {
        using var run = new SmallRun(SmallRun.OptionsFor("lisa") with { Batch = 8, Epochs = 1 });
        TrainingData data = run.Data with { Replay = [Guide(0, [0, 1]), Guide(1, [2]), Guide(2, [3])] };
        var metrics = new List<StepMetrics>();

        new Trainer(run.Session, run.Method, run.Options, data) { StepDone = metrics.Add }.Run();

        Assert.Equal([[0, 1], [2], [3]], metrics.Select(static step => step.Samples));
        Assert.All(metrics, static step => Assert.Null(step.Integers("discarded_user_samples")));
        int longest = run.Data.Pools[SampleKind.Guide].Samples.Sum(static sample => sample.InputIds.Length);
        Assert.Equal(longest, new SampleStreams(run.Options, data).Limits().MaxTokens);
        InputException refusal = Assert.Throws<InputException>(() => new SampleStreams(run.Options, run.Data with { Replay = [Guide(0, [0], [1])] }));
        Assert.Equal("replay: step 0 has 2 micro-batches; expected at most 1 (--accumulate)", refusal.Message);

        static ReplayStep Guide(int step, params int[][] batches) =>
            new(step, new Dictionary<SampleKind, IReadOnlyList<int[]>> { [SampleKind.Guide] = batches }) { Values = new JsonObject { ["state"] = "guide" } };
    }

    [Fact]
    public void ATeacherHasRoomForTheBatchWithMostLabelsAndAHeadThatStays()
    {
        TrainingOptions options = SmallRun.OptionsFor("kl");
        using var run = new SmallRun(options);
        int labels = Enumerable.Range(0, SmallRun.TotalSteps).Max(step => new SampleStreams(options, run.Data)
            .Take(SampleKind.Training, step).Single().Sum(index => run.Data.Samples[index].LabelCount));
        Assert.Equal(labels, run.Session.Plan.Options.TeacherRows);
        Assert.Equal(0, run.Session.Plan.Options.ExtraVectors);
        TrainingOptions continued = options with { InitAdapter = "an adapter" };
        Assert.Equal(2, TrainingPlan.For(continued, MethodCatalog.Create(continued), run.Data, TestDevice.Types).ExtraVectors);

        Refusal.Of(
            () => TrainingPlan.For(options with { Full = true }, run.Method, run.Data, TestDevice.Types),
            "method kl compares the model with what it was, which takes a head that does not train; expected an adapter, without --full");
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("{\"state\":3}")]
    [InlineData("{\"state\":\"mild\"}")]
    public void ACheckpointWithoutLisasStateIsRefused(string state) => Assert.Equal(
        "the checkpoint has no state of Lisa; expected guide or user",
        Assert.Throws<InputException>(() => new Lisa(MethodSettings.Of(Preset.Paper)).RestoreState((JsonObject)JsonNode.Parse(state)!)).Message);

    [Fact]
    public void VlGuardIsSftOnTheUsersAndTheFirstGuideSamples()
    {
        (string user, string guide) = (WithDroppedRecord("align"), WithDroppedRecord("harmful"));
        string together = folders.File("together.jsonl");
        File.WriteAllLines(together, [.. File.ReadAllLines(user), .. File.ReadAllLines(guide).Take(3)]);
        TrainingOptions options = SmallRun.OptionsFor("vlguard").With("guide_data", guide).With("guide_count", 2) with { Data = user };

        using TrainingRun run = TrainingRun.Create(options, folders.File("run"));
        run.Execute();
        using TrainingRun sft = TrainingRun.Create(SmallRun.OptionsFor("sft") with { Data = together, LoraAlpha = options.LoraAlpha }, folders.File("sft"));
        sft.Execute();

        Assert.Equal(
            [$"{guide}: the first 2 samples are appended to {user}; in metrics and replay its records count on from 9"], run.FileNotices);
        Assert.Equal([8, 4], run.Samples.Select(static set => set.Samples.Count));
        Assert.Equal(sft.Plan.TotalBytes, run.Plan.TotalBytes);
        Assert.Equal(Text("sft", "replay.jsonl"), Text("run", "replay.jsonl"));
        Assert.Contains("11", Text("run", "replay.jsonl"), StringComparison.Ordinal); // the guide's third record, after one without labels
        Assert.Equal(Adapter("sft"), Adapter("run"));
    }

    [Fact]
    public void VlGuardTakesAllOfAGuideThatHasFewerAndSaysSo()
    {
        (string user, string guide) = (WithDroppedRecord("align"), WithDroppedRecord("harmful"));
        TrainingOptions options = SmallRun.OptionsFor("vlguard").With("guide_data", guide) with { Data = user, Replay = folders.File("replay.jsonl") };
        File.WriteAllText(folders.File("replay.jsonl"), """{"step":0,"samples":[8,13]}""");

        using TrainingRun run = TrainingRun.Create(options, folders.File("run"));

        Assert.Equal(
            [$"{guide}: all 4 samples (--guide-count 500 asks for more) are appended to {user}; in metrics and replay its records count on from 9"],
            run.FileNotices);
        File.WriteAllText(folders.File("replay.jsonl"), """{"step":0,"samples":[14]}""");
        Refusal.Of(() => TrainingRun.Create(options, folders.File("other")), $"{options.Replay}:1: field 'samples' names sample 14, but there are 14");
    }

    /// <summary>A merged adapter and a continued one, either and neither: the first step computes with the model that they make.</summary>
    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(true, true)]
    public void AnAdapterIsMergedAndTheInitialOneContinued(bool isMerged, bool isContinued)
    {
        string merged = Fixtures.Path("traces", "tvaccine-micro", "final"), continued = Perturbed(merged);
        TrainingOptions options = SmallRun.OptionsFor("kl") with
        {
            Adapter = isMerged ? [merged] : [],
            InitAdapter = isContinued ? continued : null,
            LoraAlpha = 4,
            LearningRate = 0,
            Dropout = 0,
            Batch = 8,
            Epochs = 1,
        };
        using TrainingRun run = TrainingRun.Create(options, folders.File("run"));
        StepMetrics? step = null;
        run.StepDone = (metrics, _) => step = metrics;
        string result = run.Execute();

        IEnumerable<string> all = options.Adapter.Append(options.InitAdapter).OfType<string>();
        ModelConfiguration model = ModelConfiguration.Load(options.Model!);
        using var expected = new FixtureSession(
            "micro-llama", run.Plan.Options with { Lora = null, TeacherRows = 0, ExtraVectors = 0, Optimizers = 0, Training = false },
            merged: [.. all.Select(folder => NativeVaccine.Models.Adapter.Load(folder, model))]);
        double loss = expected.Session.Forward(new Batch(SmallRun.Samples("align")), new ForwardOptions { ForBackward = false }).MeanLoss;
        TorchReference.Near.Equal("loss", loss, step!.Number("ce_loss")!.Value, 0, 1e-5);
        Assert.Equal(0, step.Number("kl"));
        if (isContinued)
        {
            Adapter begun = NativeVaccine.Models.Adapter.Load(continued, model), ended = NativeVaccine.Models.Adapter.Load(result, model);
            Assert.Equal(begun[1, Projection.Query].B, ended[1, Projection.Query].B);
        }
    }

    private string Text(string run, string file) => File.ReadAllText(folders.File(run, file));

    private byte[] Adapter(string run) => File.ReadAllBytes(folders.File(run, "adapter", "adapter_model.safetensors"));

    /// <summary>A pool of the samples in a file of its own, after a record without labels.</summary>
    private string WithDroppedRecord(string pool)
    {
        string file = folders.File($"{pool}.jsonl");
        File.WriteAllLines(
            file,
            [
                """{"input_ids":[1,5,6],"labels":[-100,-100,-100]}""",
                .. File.ReadLines(SmallRun.SampleFile).Where(line => line.Contains($"\"{pool}\"", StringComparison.Ordinal)),
            ]);
        return file;
    }

    /// <summary>Another adapter of the same form: all its numbers' signs are turned in B.</summary>
    private string Perturbed(string adapter)
    {
        string copy = folders.File("continued");
        Directory.CreateDirectory(copy);
        foreach (string file in Directory.GetFiles(Fixtures.Path("traces", "tvaccine-micro", "initial")))
            File.WriteAllBytes(Path.Combine(copy, Path.GetFileName(file)), File.ReadAllBytes(Path.Combine(adapter, Path.GetFileName(file))));
        string weights = Path.Combine(copy, "adapter_model.safetensors");
        byte[] bytes = File.ReadAllBytes(weights);
        int begin = 8 + (int)BitConverter.ToInt64(bytes); // fp32 after the header: every other number is halved
        for (int i = begin; i + 4 <= bytes.Length; i += 8)
            BitConverter.TryWriteBytes(bytes.AsSpan(i), BitConverter.ToSingle(bytes, i) / 2);
        File.WriteAllBytes(weights, bytes);
        return copy;
    }
}
