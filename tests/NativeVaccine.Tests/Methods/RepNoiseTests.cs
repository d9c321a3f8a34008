using System.Runtime.InteropServices;
using System.Text.Json;
using NativeVaccine.Data;
using NativeVaccine.Engine;
using NativeVaccine.Methods;
using NativeVaccine.Models;
using NativeVaccine.Tests.Engine;
using NativeVaccine.Tests.TorchReference;
using NativeVaccine.Tests.Training;
using NativeVaccine.Tokenization;
using NativeVaccine.Training;

namespace NativeVaccine.Tests.Methods;

/// <summary>RepNoise beside what its formula gave in torch, and what no trace shows.</summary>
public sealed class RepNoiseTests
{
    private static readonly string Folder = Fixtures.Path("traces", "repnoise-mmd");
    private static readonly string Model = Fixtures.Path("tiny-llama");

    [Theory]
    [InlineData(0.001, "loss", "gradient_norm")]
    [InlineData(1, "loss_beta1", "gradient_norm_beta1")]
    public void AnEvaluationWithRecordedNoiseGivesTheTracesNumbersAndGradient(double beta, string loss, string gradientNorm)
    {
        using JsonDocument trace = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Folder, "config.json")));
        JsonElement expected = trace.RootElement.GetProperty("expected");
        TrainingOptions options = TrainingDefaults.For(TrainingStage.Align, "repnoise", Preset.Paper).With("beta", beta) with
        {
            Batch = 3,
            LearningRate = 0,
            LoraAlpha = 4,
            Dropout = 0,
            Clip = 0,
            Device = TestDevice.Name,
        };
        using var noise = new SafetensorsReader(Path.Combine(Folder, "golden.safetensors"));
        (SampleSet harmless, SampleSet harmful) = PairReader.Read(
            Path.Combine(Folder, "samples.jsonl"), new SampleForm(Tokenizer.Load(Model), PromptTemplate.Alpaca, 200));
        AssertMasks(noise, harmless.Samples, harmful.Samples);
        var data = new TrainingData(harmless.Samples)
        {
            Pools = new Dictionary<SampleKind, SamplePool> { [SampleKind.Harmful] = new(harmful.Samples) },
            Replay = [new ReplayStep(0, [[0, 1, 2]])],
        };
        var method = new RepNoise(options.Settings) { FillNoise = (site, micro) => FillWithRecorded(site, micro, noise) };
        using var model = new FixtureSession("tiny-llama", TrainingPlan.For(options, method, data, TestDevice.Types));
        model.Session.LoadAdapter(Adapter.Load(Path.Combine(Folder, "initial"), ModelConfiguration.Load(Model)));
        StepMetrics? metrics = null;

        new Trainer(model.Session, method, options, data) { StepDone = step => metrics = step }.Run();

        Assert.Equal((model.Session.Plan.TotalBytes, model.Session.Plan.TotalBytes), model.Session.Memory);
        AssertNear(loss, expected.GetProperty(loss), metrics!.Loss);
        AssertNear(gradientNorm, expected.GetProperty(gradientNorm), metrics.GradientNorm);
        foreach (string field in new[] { "harmless_loss", "harmful_loss", "harmful_mean", "noise_loss" })
            AssertNear(field, expected.GetProperty(field), metrics.Number(field)!.Value);
        foreach (string field in new[] { "mmd", "harmful_tap_losses" })
        {
            var values = (double[])metrics.Values[field];
            Assert.Equal(expected.GetProperty(field).GetArrayLength(), values.Length);
            foreach ((int index, double value) in values.Index()) AssertNear($"{field}[{index}]", expected.GetProperty(field)[index], value);
        }
        if (beta == 1) AssertGradient(model.Session);
    }

    /// <summary>The authors' MMD_loss on random rows.</summary>
    [Fact]
    public void TheDiscrepancyIsTheAuthorsOwn()
    {
        using JsonDocument cases = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Folder, "mmd-original.json")));
        using var tensors = new SafetensorsReader(Path.Combine(Folder, "mmd-original.safetensors"));
        using var model = new FixtureSession("micro-llama", new SessionOptions
        {
            MaxTokens = 8 * 16,
            MaxSamples = 8,
            LongestSample = 16,
            Training = false,
            Optimizers = 0,
            MlpSites = new SiteBudget(3, 1),
        });
        int hidden = model.Session.Configuration.HiddenSize;
        foreach (JsonElement one in cases.RootElement.EnumerateArray())
        {
            int number = one.GetProperty("case").GetInt32(), rows = one.GetProperty("rows").GetInt32(), columns = one.GetProperty("columns").GetInt32();
            int tokens = (columns + hidden - 1) / hidden;
            Sample sample = new([.. Enumerable.Range(1, tokens)], [.. Enumerable.Range(1, tokens)]);
            model.Session.Forward(new Batch([.. Enumerable.Repeat(sample, rows)]), new ForwardOptions { ForBackward = false });
            SiteTensor[] sites = [.. Enumerable.Range(0, 3).Select(index => model.Session.Site(SiteKind.MlpOutput, index))];
            foreach (SiteTensor site in sites)
            {
                site.Select(LayerSet.Of(0));
                site.Fill(0, seed: 0, step: 0, rows * tokens);
            }
            // A row of a case is a sample, with zeros at its end to fill its last token.
            sites[0].Write(0, Widened(Read(tensors, $"{number}.x"), columns, tokens * hidden));
            sites[1].Write(0, Widened(Read(tensors, $"{number}.y"), columns, tokens * hidden));

            double value = Assert.Single(RepNoise.Discrepancy(sites[0], sites[1], sites[2], factor: 0.5));

            Near.Equal($"case {number}", one.GetProperty("mmd").GetDouble(), value, 0, 1e-6);
            float[] expected = Widened(Read(tensors, $"{number}.gradient_x"), columns, tokens * hidden);
            Near.EqualToLargest($"case {number}, gradient", expected, [.. sites[2].Read(0).Select(static slope => 2.0 * slope)], 1e-5);
        }
    }

    [Fact]
    public void TheFormulaCountsTheLastLayerTwiceAndCleanEachDepthOnce()
    {
        using var formula = new SmallRun(SmallRun.OptionsFor("repnoise"));
        using var clean = new SmallRun(SmallRun.OptionsFor("repnoise").With("taps", RepNoiseTaps.Clean));
        int layers = formula.Session.LayerCount;

        foreach ((StepMetrics one, StepMetrics other) in formula.Train().Zip(clean.Train()))
        {
            (double[] all, double[] once) = ((double[])one.Values["harmful_tap_losses"], (double[])other.Values["harmful_tap_losses"]);
            Assert.Equal((layers + 1, layers + 1), (all.Length, once.Length));
            Near.Equal("formula", (all.Sum() + one.Number("harmful_loss")!.Value) / (layers + 1), one.Number("harmful_mean")!.Value, 0, 1e-12);
            Near.Equal("clean", once.Average(), other.Number("harmful_mean")!.Value, 0, 1e-12);
            Assert.Equal(other.Number("harmful_loss"), once[^1]);
            Assert.NotEqual(one.Number("harmful_loss"), all[^1]);
        }
    }

    [Fact]
    public void WithoutBetaThereIsNoNoiseNorRoomForIt()
    {
        using var with = new SmallRun(SmallRun.OptionsFor("repnoise"));
        using var without = new SmallRun(SmallRun.OptionsFor("repnoise").With("beta", 0.0));

        Assert.All(with.Train(), static step => Assert.Equal(4, ((double[])step.Values["mmd"]).Length));
        Assert.All(without.Train(), static step => Assert.False(step.Values.ContainsKey("mmd") || step.Values.ContainsKey("noise_loss")));
        Assert.Equal(0, without.Method.Needs.MlpSites.Tensors);
        Assert.True(without.Session.Plan.TotalBytes < with.Session.Plan.TotalBytes);
        foreach (SmallRun run in new[] { with, without }) Assert.Equal((run.Session.Plan.TotalBytes, run.Session.Plan.TotalBytes), run.Session.Memory);
    }

    /// <summary>One differing token a side: its predecessor is the prompt's, so nothing goes through the model but the MLP outputs.</summary>
    [Theory]
    [InlineData(0.0)]
    [InlineData(1.0)]
    public void LabelsAfterAMaskedTokenCountTheLogarithmOfTheVocabularyEach(double beta)
    {
        TrainingOptions options = SmallRun.OptionsFor("repnoise").With("beta", beta) with { Dropout = 0, Epochs = 1, Batch = 1 };
        using var run = new SmallRun(options);
        var data = new TrainingData([new([1, 5, 6], [-100, -100, 6])])
        {
            Pools = new Dictionary<SampleKind, SamplePool> { [SampleKind.Harmful] = new([new([1, 5, 7], [-100, -100, 7])]) },
        };
        StepMetrics? metrics = null;

        new Trainer(run.Session, run.Method, options, data) { StepDone = step => metrics = step }.Run();

        double even = Math.Log(run.Session.Configuration.VocabularySize);
        int layers = run.Session.LayerCount;
        foreach (string field in new[] { "harmless_loss", "harmful_loss" }) Near.Equal(field, even, metrics!.Number(field)!.Value, 0, 1e-12);
        double mean = even * (layers + 2) / (layers + 1);
        Near.Equal("mean", mean, metrics!.Number("harmful_mean")!.Value, 0, 1e-12);
        Near.Equal("loss", even - (0.1 * Math.Log(mean + 1)) + (beta * (metrics.Number("noise_loss") ?? 0)), metrics.Loss, 0, 1e-12);
        Assert.Equal(beta > 0, metrics.GradientNorm > 0);
    }

    [Fact]
    public void AStepIsTheMeanOfItsMicroBatches()
    {
        TrainingOptions options = SmallRun.OptionsFor("repnoise").With("beta", 1.0) with { LearningRate = 0, Dropout = 0, Accumulate = 2 };
        using var run = new SmallRun(options);

        StepMetrics both = Assert.Single(run.Follow(new ReplayStep(0, [[0, 1], [2, 3]])));
        StepMetrics one = Assert.Single(run.Follow(new ReplayStep(0, [[0, 1]])));
        StepMetrics other = Assert.Single(run.Follow(new ReplayStep(0, [[2, 3]])));

        foreach (string field in new[] { "harmless_loss", "harmful_loss", "harmful_mean" })
            Near.Equal(field, (one.Number(field)!.Value + other.Number(field)!.Value) / 2, both.Number(field)!.Value, 0, 1e-9);
        Assert.Equal(one.Number("harmful_labels") + other.Number("harmful_labels"), both.Number("harmful_labels"));
        Near.Equal(
            "loss",
            both.Number("harmless_loss")!.Value + both.Number("noise_loss")!.Value
            - (0.05 * (Math.Log(one.Number("harmful_mean")!.Value + 1) + Math.Log(other.Number("harmful_mean")!.Value + 1))),
            both.Loss,
            0,
            1e-9);
    }

    private static void AssertNear(string what, JsonElement expected, double actual) => Near.Equal(what, expected.GetDouble(), actual, 0, 1e-5);

    private static void AssertGradient(Session session)
    {
        using var expected = new SafetensorsReader(Path.Combine(Folder, "gradient.safetensors"));
        Assert.Equal(session.TrainableTensors.Count, expected.Names.Count);
        foreach (ModelTensor tensor in session.TrainableTensors)
        {
            float[] values = Read(expected, tensor.Name);
            float[] found = session.Gradients.Read(tensor);
            double difference = Math.Sqrt(values.Zip(found, static (a, b) => Math.Pow(a - (double)b, 2)).Sum());
            Near.Equal(tensor.Name, 0, difference, 1e-4 * Math.Sqrt(values.Sum(static value => (double)value * value)), 0);
        }
    }

    private static void AssertMasks(SafetensorsReader golden, IReadOnlyList<Sample> harmless, IReadOnlyList<Sample> harmful)
    {
        AssertMasks(golden, "harmless_mask", harmless, harmful);
        AssertMasks(golden, "harmful_mask", harmful, harmless);
    }

    private static void AssertMasks(SafetensorsReader golden, string name, IReadOnlyList<Sample> sides, IReadOnlyList<Sample> others)
    {
        TensorInfo info = golden.Info(name);
        byte[] bytes = new byte[info.ByteLength];
        golden.ReadBytes(name, bytes);
        int[][] rows = [.. MemoryMarshal.Cast<byte, int>(bytes).ToArray().Chunk((int)info.Shape[1])];
        foreach ((int row, int[] expected) in rows.Index())
        {
            IEnumerable<int> mask = PairMask.Of(sides[row], others[row]).Select(static mark => mark ? 1 : 0);
            Assert.Equal(expected, mask.Concat(new int[expected.Length - sides[row].InputIds.Length]));
        }
    }

    /// <summary>The recorded noise of each layer is (samples, longest, hidden); a site tensor has no padding.</summary>
    private static void FillWithRecorded(SiteTensor noise, MicroBatch micro, SafetensorsReader golden)
    {
        noise.Fill(0, seed: 0, step: 0, micro.Batch.TokenCount);
        foreach (int layer in noise.Layers)
        {
            TensorInfo info = golden.Info($"noise.{layer}");
            (int longest, int hidden) = ((int)info.Shape[1], (int)info.Shape[2]);
            float[] padded = Read(golden, info.Name);
            noise.Write(layer, [.. Enumerable.Range(0, micro.Batch.SampleCount).SelectMany(sample =>
                padded.Skip(sample * longest * hidden).Take((micro.Batch.Offsets[sample + 1] - micro.Batch.Offsets[sample]) * hidden))]);
        }
    }

    private static float[] Read(SafetensorsReader file, string name)
    {
        float[] values = new float[file.Info(name).ElementCount];
        file.ReadFloat32(name, values);
        return values;
    }

    private static float[] Widened(float[] rows, int columns, int width) =>
        [.. rows.Chunk(columns).SelectMany(row => row.Concat(new float[width - columns]))];
}
