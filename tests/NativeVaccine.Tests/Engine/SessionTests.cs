using NativeVaccine.Data;
using NativeVaccine.Engine;
using NativeVaccine.Models;
using NativeVaccine.Tests.Models;
using NativeVaccine.Tests.TorchReference;

namespace NativeVaccine.Tests.Engine;

/// <summary>Memory, weights, the passes' options, and what a session refuses.</summary>
public sealed class SessionTests
{
    private static readonly LoraOptions Lora = new(4, 8, 0.1f, Projections.All);

    [Fact]
    public void ASessionTakesWhatThePlanSays()
    {
        using var model = new FixtureSession("tiny-gqa", FixtureSession.Options with
        {
            Lora = Lora,
            Optimizers = 1,
            ExtraVectors = 2,
            TeacherRows = 30,
            AttentionSites = new SiteBudget(1, 2),
            DecodeSamples = 2,
            DecodeCapacity = 50,
        });
        MemoryPlan plan = model.Session.Plan;

        Assert.Equal((plan.TotalBytes, plan.TotalBytes), model.Session.Memory);
        Assert.Equal(plan.TotalBytes, plan.Items.Sum(static item => item.Bytes));
        Assert.Equal(plan.Configuration.ParameterCount, plan.ParameterCount);
        Assert.True(plan.TrainableParameterCount >= model.Session.TrainableTensors.Sum(static tensor => tensor.ElementCount));
        SiteTensor site = model.Session.Site(SiteKind.AttentionOutput);
        Assert.Equal(EngineError.InvalidArgument, Assert.Throws<EngineException>(() => site.Select(LayerSet.Of(0, 1, 2))).Error);
    }

    [Fact]
    public void ALimitMakesLayersRecomputeAndThenRefuses()
    {
        using Device device = TestDevice.Open();
        var configuration = ModelConfiguration.Load(Fixtures.Path("tiny-llama"));
        SessionOptions options = FixtureSession.Options with { Lora = Lora };
        using MemoryPlan free = MemoryPlan.Create(device, configuration, options);
        using MemoryPlan tight = MemoryPlan.Create(device, configuration, options with { MemoryLimit = free.TotalBytes - 1 });

        Assert.Equal(0, free.RecomputedLayers);
        Assert.InRange(tight.RecomputedLayers, 1, configuration.LayerCount);
        Assert.True(tight.TotalBytes < free.TotalBytes);
        SessionOptions impossible = options with { MemoryLimit = 1000 };
        EngineException refusal = Assert.Throws<EngineException>(() => MemoryPlan.Create(device, configuration, impossible));
        Assert.Equal(EngineError.OutOfMemory, refusal.Error);
        Assert.DoesNotContain('\n', refusal.Message);
    }

    [Fact]
    public void ACancelledPassEndsEarlyAndTheNextOneIsAsItWouldHaveBeen()
    {
        if (TestDevice.IsGpu) return;  // a GPU ends what is queued
        const int Length = 8000;
        using var model = new FixtureSession(
            "tiny-llama", FixtureSession.Options with { MaxTokens = Length, LongestSample = Length, Lora = Lora });
        using var expected = new ExpectedFile("tiny-llama");
        Batch batch = FixtureSession.BatchOf(expected);
        int[] ids = [.. Enumerable.Repeat(5, Length)];
        var backward = new BackwardOptions { Gradients = model.Session.Gradients };
        double before = model.Session.Forward(batch).MeanLoss;
        using var cancelled = new CancellationTokenSource();
        using var later = new CancellationTokenSource();

        var forward = Task.Run(() => model.Session.Forward(new Batch([new Sample(ids, ids)]), cancellation: later.Token));
        Thread.Sleep(20);
        later.Cancel();
        // A pass that was not ended would give its loss.
        Assert.Throws<OperationCanceledException>(() => forward.GetAwaiter().GetResult());

        Assert.Equal(before, model.Session.Forward(batch).MeanLoss);
        cancelled.Cancel();
        Assert.Throws<OperationCanceledException>(() => model.Session.Backward(backward, cancelled.Token));
        Assert.Throws<OperationCanceledException>(() => model.Session.Forward(batch, cancellation: cancelled.Token));
        Assert.Equal(before, model.Session.Forward(batch).MeanLoss);
    }

    [Fact]
    public void LoadingStopsWhenItIsCancelled()
    {
        using var model = new FixtureSession("tiny-llama");
        using var folder = ModelFolder.Open(Fixtures.Path("tiny-llama"));

        Assert.Throws<OperationCanceledException>(() => model.Session.Load(folder, null, new CancellationToken(canceled: true)));
    }

    [Fact]
    public void WeightsComeBackAsTheyWentIn()
    {
        using var model = new FixtureSession("tiny-qwen2", FixtureSession.Options with { Full = true });
        using var folder = ModelFolder.Open(Fixtures.Path("tiny-qwen2"));
        WeightSnapshot snapshot = model.Session.SnapshotWeights();

        foreach (ExpectedWeight weight in ExpectedWeight.Of(folder.Configuration))
        {
            (float[] stored, float[] found) = (new float[weight.ElementCount], new float[weight.ElementCount]);
            folder.ReadFloat32(weight.Name, stored);
            snapshot.ReadFloat32(weight.Name, found);
            Assert.Equal(stored, found);
        }
        Refusal.Of(() => snapshot.ReadFloat32("lm_head.weight", new float[1]), "has no tensor 'lm_head.weight'");
    }

    [Fact]
    public void WeightsThatAreNotNumbersAreNamed()
    {
        const string Tensor = "model.layers.2.mlp.up_proj.weight";
        using var model = new FixtureSession("micro-llama");

        Refusal.Of(() => model.Session.Load(new OneBadWeight(Tensor, 5)), $"'{Tensor}'", "NaN", "element 5");
    }

    [Theory]
    [InlineData("tiny-gqa")]
    [InlineData("tiny-mistral")]
    public void ModelsStoredInBf16LoseNothingWhenHeldInBf16(string folder)
    {
        using var expected = new ExpectedFile(folder);
        using var model = new FixtureSession(folder, FixtureSession.Options with { WeightType = ElementType.BFloat16 });
        using var wide = new FixtureSession(folder);
        Batch batch = FixtureSession.BatchOf(expected);

        Near.Equal("loss", wide.Session.Forward(batch).MeanLoss, model.Session.Forward(batch).MeanLoss, 0, 1e-6);
        Assert.True(model.Session.Plan.TotalBytes < wide.Session.Plan.TotalBytes);
    }

    [Fact]
    public void ChunksOfLogitsChangeNoLossAndNoGradientOfAdapters()
    {
        using var expected = new ExpectedFile("tiny-llama");
        Batch batch = FixtureSession.BatchOf(expected);
        (float[] losses, float[] gradients) = Run(0);

        (float[] chunkedLosses, float[] chunkedGradients) = Run(7);

        Assert.Equal(losses, chunkedLosses);
        Assert.Equal(gradients, chunkedGradients);

        (float[] Losses, float[] Gradients) Run(int headRows)
        {
            using var model = new FixtureSession("tiny-llama", FixtureSession.Options with { Lora = Lora, HeadRows = headRows });
            Assert.Equal(headRows, headRows == 0 ? 0 : model.Session.Plan.HeadRows);
            model.Session.InitializeAdapter(1);
            model.Session.Forward(batch);
            float[] found = model.Session.ReadLosses();
            model.Session.Backward(new BackwardOptions { Gradients = model.Session.Gradients });
            return (found, FixtureSession.Read(model.Session.Gradients));
        }
    }

    [Fact]
    public void DropoutFollowsSeedStepAndPass()
    {
        using var expected = new ExpectedFile("tiny-llama");
        using var model = new FixtureSession("tiny-llama", FixtureSession.Options with { Lora = Lora });
        int count = (int)model.Session.Parameters.Length;
        model.Session.Parameters.Write([.. Enumerable.Range(0, count).Select(static i => 0.05f * MathF.Sin(i))]);
        Batch batch = FixtureSession.BatchOf(expected);
        var key = new ForwardOptions { Dropout = true, Seed = 1, Step = 2, Pass = 1 };

        ForwardOptions[] passes = [key, key, key with { Seed = 2 }, key with { Step = 3 }, key with { Pass = 2 }, new ForwardOptions()];

        double[] losses = [.. passes.Select(Loss)];

        Assert.Equal(losses[0], losses[1]);
        Assert.Equal(5, losses.Distinct().Count());
        double Loss(ForwardOptions options) => model.Session.Forward(batch, options).LossSum.Value;
    }

    [Fact]
    public void ASecondPassMayStartWhereTheFirstLeftOff()
    {
        using var expected = new ExpectedFile("tiny-llama");
        using var model = new FixtureSession("tiny-llama", FixtureSession.Options with { Lora = Lora, AttentionSites = new SiteBudget(1) });
        Session session = model.Session;
        session.InitializeAdapter(1);
        Batch batch = FixtureSession.BatchOf(expected);
        LayerSet layers = LayerSet.Of(3, 6);
        TensorSet tensors = session.TensorsOf(layers);
        SiteTensor perturbation = session.Site(SiteKind.AttentionOutput);
        perturbation.Select(layers);

        float[] whole = TwoPasses(fromLayer: 0);
        float[] shortened = TwoPasses(fromLayer: 3);

        Assert.Equal(whole, shortened);
        Assert.Equal(0, session.Gradients.Norm(session.AllTensors.Except(tensors)).Value);
        Assert.True(session.Gradients.Norm(tensors).Value > 0);

        float[] TwoPasses(int fromLayer)
        {
            session.Gradients.Zero();
            session.Forward(batch);
            session.Backward(new BackwardOptions { Read = [perturbation], Floor = layers.Lowest });
            perturbation.ScaleToNorm(3, perturbation.Norms());
            session.Forward(batch, new ForwardOptions { Add = [perturbation], FromLayer = fromLayer });
            session.Backward(new BackwardOptions { Gradients = session.Gradients, Tensors = tensors, Floor = layers.Lowest });
            return FixtureSession.Read(session.Gradients);
        }
    }

    [Fact]
    public void GradientsAddUpAndScale()
    {
        using var expected = new ExpectedFile("tiny-llama");
        using var model = new FixtureSession("tiny-llama", FixtureSession.Options with { Lora = Lora });
        Session session = model.Session;
        session.InitializeAdapter(1);
        Batch batch = FixtureSession.BatchOf(expected);
        session.Forward(batch);
        session.Backward(new BackwardOptions { Gradients = session.Gradients });
        double norm = session.Gradients.Norm().Value;

        session.Forward(batch);
        session.Backward(new BackwardOptions { Gradients = session.Gradients, LossScale = 2 });

        Near.Equal("norm", 3 * norm, session.Gradients.Norm().Value, 0, 1e-6);
    }

    [Fact]
    public void AHeadMayStandAtEveryPoint()
    {
        using var expected = new ExpectedFile("tiny-llama");
        using var model = new FixtureSession("tiny-llama");
        Batch batch = FixtureSession.BatchOf(expected);
        double last = Loss(8);

        Assert.Equal(model.Session.Forward(batch).LossSum.Value, last);
        LossHead[] heads = [.. Enumerable.Range(0, 9).Select(static point => new LossHead(point, Weight: 0.5f))];
        PassResult all = model.Session.Forward(batch, new ForwardOptions { Heads = heads });
        Near.Equal("sum over heads", 0.5 * Enumerable.Range(0, 9).Sum(Loss), all.LossSum.Value, 0, 1e-6);
        Assert.Equal(Loss(3), all.HeadLoss(3) * all.LabelCount, 1e-9);
        Assert.Throws<ArgumentOutOfRangeException>(() => all.HeadLoss(9));

        double Loss(int point) => model.Session.Forward(batch, new ForwardOptions { Heads = [new(point)] }).LossSum.Value;
    }

    [Fact]
    public void ATeacherIsAPassThatWasRecorded()
    {
        using var expected = new ExpectedFile("tiny-llama");
        using var model = new FixtureSession("tiny-llama", FixtureSession.Options with { Lora = Lora, TeacherRows = 105 });
        Session session = model.Session;
        session.InitializeAdapter(1);
        Batch batch = FixtureSession.BatchOf(expected);
        var student = new ForwardOptions { Heads = [new(8), new(8, LossKind.Teacher, Weight: 0.1f)] };
        var record = new ForwardOptions { ForBackward = false, Heads = [], RecordTeacher = true };

        EngineException early = Assert.Throws<EngineException>(() => session.Forward(batch, student));
        Assert.Equal(0, session.Forward(batch, record).LossSum.Value);
        double atStart = session.Forward(batch, student).HeadLoss(1);
        session.Parameters.Write([.. Enumerable.Range(0, (int)session.Parameters.Length).Select(static i => 0.3f * MathF.Sin(i))]);
        PassResult moved = session.Forward(batch, student);
        double metByTheBase = session.Forward(batch, record with { AdapterOff = true, Heads = student.Heads }).HeadLoss(1);

        Assert.Equal((EngineError.WrongState, 0), (early.Error, atStart));
        Assert.Contains("record_teacher", early.Message, StringComparison.Ordinal);
        Assert.True(moved.HeadLoss(1) > 1e-3);
        Near.Equal("loss", moved.HeadLoss(0) + (0.1 * moved.HeadLoss(1)), moved.MeanLoss, 0, 1e-6);
        Assert.Equal(0, metByTheBase);
        Near.Equal("base's divergence", moved.HeadLoss(1), session.Forward(batch, student).HeadLoss(1), 0, 1e-6); // a fresh adapter is the base
        Assert.Equal(EngineError.InvalidArgument, Refuse(new ForwardOptions { AdapterOff = true }));
        Assert.Equal(EngineError.InvalidArgument, Refuse(student with { Heads = [new(9)] }));

        EngineError Refuse(ForwardOptions options) => Assert.Throws<EngineException>(() => session.Forward(batch, options)).Error;
    }

    [Fact]
    public void AModelWhoseHeadTrainsHasNoTeacher()
    {
        SessionOptions full = FixtureSession.Options with { Full = true, TeacherRows = 1 };
        EngineException refusal = Assert.Throws<EngineException>(() => new FixtureSession("micro-llama", full));
        Assert.Equal(EngineError.Unsupported, refusal.Error);
        Assert.Contains("lm_head are frozen", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void WhatDoesNotFitThePlanIsRefused()
    {
        SessionOptions narrow = FixtureSession.Options with { MaxTokens = 10, LongestSample = 8, MaxSamples = 2 };
        using var model = new FixtureSession("micro-llama", narrow);
        Session session = model.Session;

        Refuse("number of tokens in a batch", Of(6), Of(6));
        Refuse("longest sample", Of(9));
        Refuse("number of samples in a batch", Of(1), Of(1), Of(1));
        Refuse("input_ids[1]", new Sample([0, 100_000], [0, 1]));
        Assert.Equal(EngineError.WrongState, Assert.Throws<EngineException>(() => session.Backward(new BackwardOptions())).Error);
        PassResult prompts = session.Forward(Batch.OfPrompts([[1, 2, 3]]), new ForwardOptions { ForBackward = false });
        Assert.Equal(0, prompts.LabelCount);
        Assert.Throws<InvalidOperationException>(() => prompts.LossSum);

        void Refuse(string part, params Sample[] samples)
        {
            EngineException refusal = Assert.Throws<EngineException>(() => session.Forward(new Batch(samples)));
            Assert.Equal(EngineError.InvalidArgument, refusal.Error);
            Assert.Contains(part, refusal.Message, StringComparison.Ordinal);
        }

        static Sample Of(int length) => new(new int[length], new int[length]);
    }

    [Fact]
    public void ASessionKeepsItsDevice()
    {
        using var expected = new ExpectedFile("tiny-llama");
        using var model = new FixtureSession("tiny-llama");
        model.Device.Dispose();

        double loss = model.Session.Forward(FixtureSession.BatchOf(expected)).MeanLoss;

        Near.Equal("loss", expected.Root.GetProperty("batch").GetProperty("mean_loss").GetDouble(), loss, 0, 1e-5);
        model.Session.Dispose();
        Assert.Throws<ObjectDisposedException>(() => model.Session.Forward(FixtureSession.BatchOf(expected)));
    }

    private sealed class OneBadWeight(string tensor, int element) : IWeightSource
    {
        public void ReadFloat32(string name, Span<float> destination, long firstElement = 0)
        {
            destination.Clear();
            if (name == tensor) destination[element] = float.NaN;
        }
    }
}
