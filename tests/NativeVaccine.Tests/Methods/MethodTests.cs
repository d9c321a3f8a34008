using NativeVaccine.Data;
using NativeVaccine.Engine;
using NativeVaccine.Methods;
using NativeVaccine.Tests.Engine;
using NativeVaccine.Tests.TorchReference;
using NativeVaccine.Tests.Training;
using NativeVaccine.Training;

namespace NativeVaccine.Tests.Methods;

/// <summary>What the traces, which have no dropout and no noise, do not show.</summary>
public sealed class MethodTests
{
    [Theory]
    [InlineData("[2000000000]", "[]")]
    [InlineData("[-1]", "[]")]
    [InlineData("[\"1\"]", "[]")]
    [InlineData("[1]", "[0,0,0,0,1]")]
    public void WhatACheckpointSaysOfLayersIsBoundedByTheModel(string chosen, string probabilities)
    {
        var method = new TVaccine(MethodSettings.Of(Preset.Paper).With("layers", 2));
        method.RequireFits(layerCount: 4);
        var state = (System.Text.Json.Nodes.JsonObject)System.Text.Json.Nodes.JsonNode.Parse(
            $"{{\"chosen\":{chosen},\"probabilities\":{probabilities}}}")!;

        Assert.Equal(
            "the checkpoint names other layers than the model's 4", Assert.Throws<InputException>(() => method.RestoreState(state)).Message);
    }

    [Theory]
    [InlineData(LayerSampling.Upper, 7, 3, null)]
    [InlineData(LayerSampling.Upper, 7, 4, "T-Vaccine cannot choose 4 of the 3 layers of the upper half of 7; expected fewer (--layers), or another --layer-sampling")]
    [InlineData(LayerSampling.Upper, 8, 4, null)]
    [InlineData(LayerSampling.Upper, 1, 1, "T-Vaccine cannot choose 1 of the 0 layers of the upper half of 1; expected fewer (--layers), or another --layer-sampling")]
    [InlineData(LayerSampling.Upper, 8, 9, "T-Vaccine cannot choose 9 layers of 8; expected fewer (--layers)")]
    [InlineData(LayerSampling.Inverse, 7, 7, null)]
    public void MoreLayersThanMayBeChosenAreRefused(LayerSampling sampling, int layerCount, int layers, string? expected)
    {
        var method = new TVaccine(MethodSettings.Of(Preset.Paper).With("layers", layers).With("layer_sampling", sampling));

        if (expected is null) method.RequireFits(layerCount);
        else Assert.Equal(expected, Assert.Throws<InputException>(() => method.RequireFits(layerCount)).Message);
    }

    [Theory]
    [InlineData(LayerSampling.Gradient, "[0,2,4]")]
    [InlineData(LayerSampling.Upper, "[4,5,6]")]
    public void ABenchmarksLayersAreSpreadOverThoseThatMayBeChosen(LayerSampling sampling, string expected)
    {
        var method = new TVaccine(MethodSettings.Of(Preset.Paper).With("layers", 3).With("layer_sampling", sampling));

        Assert.Equal(expected, method.EvenReplay(layerCount: 7)["active_layers"]!.ToJsonString());
    }

    /// <summary>What a run tells of its probe says which layers it may choose.</summary>
    [Fact]
    public void ARunChoosesItsLayersAsItIsTold()
    {
        TrainingOptions options = SmallRun.OptionsFor("tvaccine").With("resample_every", 1).With("probe_every", 1).With("layers", 1);
        using var largest = new SmallRun(options.With("layer_sampling", LayerSampling.Largest));
        using var upper = new SmallRun(options.With("layer_sampling", LayerSampling.Upper));

        Assert.All(largest.Train(), static step =>
        {
            double[] p = (double[])step.Values["probabilities"];
            Assert.Equal([Array.IndexOf(p, p.Max())], step.Integers("active_layers"));
        });
        Assert.All(upper.Train(), step => Assert.All(step.Integers("active_layers")!, layer => Assert.True(2 * layer >= upper.Session.LayerCount)));
    }

    [Theory]
    [InlineData("vaccine")]
    [InlineData("tvaccine")]
    public void ThePerturbationHasTheNormRho(string method)
    {
        using var run = new SmallRun(SmallRun.OptionsFor(method).With("rho", 2.0));

        foreach (StepMetrics step in run.Train())
        {
            double norm = step.Number("site_gradient_norm")!.Value;
            Near.Equal("perturbation", 2 * norm / (norm + 1e-7), step.Number("perturbation_norm")!.Value, 0, 1e-5);
            Near.Equal("layers", norm, Math.Sqrt(((SortedDictionary<int, double>)step.Values["site_gradient_norms"]).Values.Sum(static layer => layer * layer)), 0, 1e-9);
        }
    }

    [Fact]
    public void NoiseHasTheVarianceOrTheNormRho()
    {
        using var variance = new SmallRun(SmallRun.OptionsFor("random-vaccine").With("rho", 0.01));
        using var norm = new SmallRun(SmallRun.OptionsFor("random-vaccine").With("rho", 2.0).With("noise_size", NoiseSize.Norm));

        foreach (StepMetrics step in variance.Train())
        {
            double elements = (double)step.Tokens * variance.Session.Configuration.HiddenSize * variance.Session.LayerCount;
            // Four standard deviations of a mean of squares.
            double spread = 4 * Math.Sqrt(2 / elements);
            Near.Equal("variance", 0.01, Math.Pow(step.Number("perturbation_norm")!.Value, 2) / elements, 0, spread);
        }
        Assert.All(norm.Train(), static step => Near.Equal("norm", 2, step.Number("perturbation_norm")!.Value, 0, 1e-5));
    }

    [Theory]
    [InlineData("random-vaccine", "rho")]
    [InlineData("repnoise", "beta")]
    public void NoiseIsFreshInEveryStepAndMicroBatch(string method, string weight)
    {
        // A learning rate of 0 keeps the model as it is, so that the same samples give another loss by their noise alone.
        TrainingOptions options = SmallRun.OptionsFor(method).With(weight, 1.0) with { LearningRate = 0, Dropout = 0, Accumulate = 2 };
        using var run = new SmallRun(options);

        List<StepMetrics> steps = run.Follow(new ReplayStep(0, [[0, 1]]), new ReplayStep(1, [[0, 1]]));
        StepMetrics twice = Assert.Single(run.Follow(new ReplayStep(0, [[0, 1], [0, 1]])));

        Assert.NotEqual(steps[0].Loss, steps[1].Loss);
        Assert.NotEqual(steps[0].Loss, twice.Loss);
    }

    [Theory]
    [InlineData("vaccine")]
    [InlineData("tvaccine")]
    public void MasksAreFreshInTheSecondPassUnlessTheyAreWantedTheSame(string method)
    {
        // Without a perturbation both passes compute the same, if they drop out the same.
        TrainingOptions options = SmallRun.OptionsFor(method).With("rho", 0.0) with { Dropout = 0.5, WarmupRatio = 0 };
        using var fresh = new SmallRun(options);
        using var same = new SmallRun(options.With("same_masks", true));

        // B is zero at first, and dropout of what it multiplies shows from the second step on.
        Assert.All(fresh.Train().Skip(1), static step => Assert.NotEqual(step.Number("pass1_loss")!.Value, step.Loss));
        Assert.All(same.Train().Skip(1), static step => Assert.Equal(step.Number("pass1_loss")!.Value, step.Loss));
    }

    [Fact]
    public void EveryPassOfEveryStreamDropsOutOnItsOwn()
    {
        const uint PassesThatTheEngineTellsApart = 16;
        var batch = new Batch([new Sample([1, 2], [1, 2])]);
        var keys = new HashSet<(ulong Seed, uint Step, uint Pass)>();
        foreach (SampleKind kind in Enum.GetValues<SampleKind>())
        {
            for (uint pass = 1; pass <= 100; pass++)
            {
                ForwardOptions options = new MicroBatch(batch, 1) { Kind = kind, Seed = 42, Number = 3 }.PassOptions(pass);
                Assert.True(keys.Add((options.Seed, options.Step, options.Pass % PassesThatTheEngineTellsApart)), $"{kind} {pass}");
            }
        }
    }

    [Theory]
    [InlineData(FreezeScope.Layer, BackwardFloor.Chosen)]
    [InlineData(FreezeScope.Attention, BackwardFloor.Chosen)]
    [InlineData(FreezeScope.Attention, BackwardFloor.None)]
    [InlineData(FreezeScope.Layer, BackwardFloor.Chosen, PerturbSite.Mlp)]
    [InlineData(FreezeScope.Layer, BackwardFloor.Chosen, PerturbSite.Residual)]
    [InlineData(FreezeScope.Attention, BackwardFloor.None, PerturbSite.Residual)]
    public void StartingAtTheLowestChosenLayerChangesNothing(
        FreezeScope scope, BackwardFloor floor, PerturbSite site = PerturbSite.Attention)
    {
        TrainingOptions options = SmallRun.OptionsFor("tvaccine")
            .With("freeze_scope", scope)
            .With("backward_floor", floor)
            .With("perturb_site", site)
            .With("layers", 1)
            .With("resample_every", 1)
            .With("probe_every", 1) with
        {
            Dropout = 0,
            LearningRate = 1e-3,
        };
        using var run = new SmallRun(options);
        using var whole = new SmallRun(options);
        var chosen = new List<LayerSet>();
        run.Train(stepDone: step => chosen.Add(LayerSet.Of(step.Integers("active_layers")!)));
        Assert.Contains(chosen, static layers => layers.Lowest > 0);

        new Trainer(whole.Session, new WholeTVaccine(scope, floor, chosen, KindOf(site)), options, whole.Data).Run();

        Assert.Equal(whole.State.Parameters, run.State.Parameters);
        Assert.Equal(whole.State.Steps, run.State.Steps);
    }

    [Fact]
    public void NormsDoNotDecayAndClippingSeesAllTensors()
    {
        TrainingOptions options = SmallRun.OptionsFor("sft") with { Full = true };
        using var run = new SmallRun(options);
        using var plain = new SmallRun(options);
        foreach (SmallRun each in new[] { run, plain })
        {
            each.Session.Gradients.CopyFrom(each.Session.Parameters);
            each.Session.Optimizer.WeightDecay = each == run ? 0.5 : 0;
        }
        float[] before = FixtureSession.Read(run.Session.Parameters);

        StepMetrics metrics = Update(run, clip: 1e-6);
        double norm = plain.Session.Optimizer.Step(plain.Session.Gradients, 0.1, plain.Session.AllTensors, 1e-6f).Value;

        Near.Equal("norm", norm, metrics.GradientNorm, 0, 1e-9);
        float[] expected = FixtureSession.Read(plain.Session.Parameters), actual = FixtureSession.Read(run.Session.Parameters);
        foreach (ModelTensor tensor in run.Session.TrainableTensors)
        {
            bool decays = tensor.Kind is TensorKind.Embedding or TensorKind.Head or TensorKind.Weight;
            for (long i = tensor.Offset; i < tensor.Offset + tensor.ElementCount; i++)
                Near.Equal(tensor.Name, expected[i] - (decays ? 0.1 * 0.5 * before[i] : 0), actual[i], 1e-6, 1e-5);
        }
        Assert.Equal(0.5, run.Session.Optimizer.WeightDecay);
    }

    /// <summary>The probe, too, looks where the perturbation will be.</summary>
    [Theory]
    [InlineData(PerturbSite.Attention)]
    [InlineData(PerturbSite.Mlp)]
    [InlineData(PerturbSite.Residual)]
    public void TheProbesNormsAreThoseOfThePerturbedSite(PerturbSite site)
    {
        using var run = new SmallRun(SmallRun.OptionsFor("tvaccine").With("perturb_site", site).With("probe_every", 1) with { LearningRate = 0, Dropout = 0 });
        StepMetrics step = run.Train()[^1];
        Sample probed = run.Data.Pools[SampleKind.Harmful].Samples[Assert.Single(step.Integers("probe_samples")!)];

        SiteTensor gradient = run.Session.Site(KindOf(site));
        foreach ((int layer, double norm) in ((double[])step.Values["probe_norms"]).Index())
        {
            gradient.Select(LayerSet.Of(layer));
            run.Session.Forward(new Batch([probed]));
            run.Session.Backward(new BackwardOptions { Read = [gradient] });
            Near.Equal($"layer {layer}", gradient.Norms().Total, norm, 0, 1e-6);
        }
        Assert.Equal(run.Session.LayerCount, ((double[])step.Values["probe_norms"]).Length);
    }

    /// <summary>As attention does not cross samples, those that refuse are a batch of their own, and the others a plain one.</summary>
    [Theory]
    [InlineData("vaccine", PerturbSite.Attention)]
    [InlineData("vaccine", PerturbSite.Mlp)]
    [InlineData("tvaccine", PerturbSite.Residual)]
    public void OnlySamplesThatRefuseArePerturbed(string method, PerturbSite site)
    {
        const double Rho = 2;
        TrainingOptions options = SmallRun.OptionsFor(method).With("perturb_site", site).With("perturb_samples", PerturbSamples.Refusals)
            .With("rho", Rho).With("layers", 4);
        using var run = new SmallRun(options with { LearningRate = 0, Dropout = 0, Batch = 4, Epochs = 1 });
        foreach (StepMetrics step in run.Train())
        {
            Batch[] sides = [.. new[] { true, false }.Select(refuses => new Batch(
                [.. step.Samples.Select(index => run.Data.Samples[index]).Where(sample => sample.Refuses!.Single() == refuses)]))];
            SiteTensor e = run.Session.Site(KindOf(site));
            e.Select(LayerSet.All(run.Session.LayerCount));
            run.Session.Forward(sides[0]);
            run.Session.Backward(new BackwardOptions { Read = [e] });
            e.ScaleToNorm((float)Rho, e.Norms());
            PassResult perturbed = run.Session.Forward(sides[0], new ForwardOptions { Add = [e] });
            double sum = perturbed.LossSum.Value;
            long labels = perturbed.LabelCount;
            PassResult plain = run.Session.Forward(sides[1]);

            Near.Equal("loss", (sum + plain.LossSum.Value) / (labels + plain.LabelCount), step.Loss, 0, 1e-5);
            Near.Equal("norm", Rho, step.Number("perturbation_norm")!.Value, 0, 1e-5);
            Assert.True(step.Loss > step.Number("pass1_loss")!.Value + 1e-3, $"{step.Loss}");
        }
    }

    [Fact]
    public void NoiseHasItsNormOverTheSamplesThatRefuse()
    {
        TrainingOptions options = SmallRun.OptionsFor("random-vaccine").With("rho", 0.5).With("perturb_samples", PerturbSamples.Refusals) with { Batch = 8 };
        using var norm = new SmallRun(options.With("noise_size", NoiseSize.Norm));
        using var variance = new SmallRun(options);

        Assert.All(norm.Train(), static step => Near.Equal("norm", 0.5, step.Number("perturbation_norm")!.Value, 0, 1e-5));
        StepMetrics first = variance.Train()[0];
        double rows = first.Samples.Select(index => variance.Data.Samples[index]).Where(static sample => sample.Refuses![0]).Sum(static sample => sample.InputIds.Length);
        double elements = rows * variance.Session.Configuration.HiddenSize * variance.Session.LayerCount;
        Near.Equal("variance", 0.5, Math.Pow(first.Number("perturbation_norm")!.Value, 2) / elements, 0, 4 * Math.Sqrt(2 / elements));
    }

    [Theory]
    [InlineData("vaccine")]
    [InlineData("random-vaccine")]
    [InlineData("tvaccine")]
    public void WithoutAPerturbedSampleOrStepItIsSft(string method)
    {
        TrainingOptions options = SmallRun.OptionsFor(method).With("layers", 4);
        using var sft = new SmallRun(SmallRun.OptionsFor("sft"));
        using var none = new SmallRun(options.With("perturb_until", 0.0));
        sft.Train();
        Assert.All(none.Train(), static step =>
        {
            Assert.Equal(0, step.Number("perturbation_norm"));
            Assert.Null(step.Number("pass1_loss"));
        });
        Assert.Equal(sft.State.Parameters, none.State.Parameters);
        Assert.Equal(sft.State.Second, none.State.Second);
        Assert.Equal(sft.State.Steps, none.State.Steps);

        // Fresh masks in the second pass would make another run.
        options = options.With("perturb_samples", PerturbSamples.Refusals) with { Dropout = 0 };
        using var plain = new SmallRun(SmallRun.OptionsFor("sft") with { Dropout = 0 });
        using var answers = new SmallRun(options);
        plain.Train();
        TrainingData data = answers.Data with { Training = new([.. answers.Data.Samples.Select(static sample => sample with { Refuses = [false] })]) };
        new Trainer(answers.Session, answers.Method, options, data).Run();
        Assert.Equal(plain.State.Parameters, answers.State.Parameters);
    }

    /// <summary>A run of eight steps.</summary>
    [Theory]
    [InlineData(1, 8)]
    [InlineData(0.5, 4)]
    [InlineData(0.51, 5)]
    [InlineData(0.125, 1)]
    [InlineData(1e-9, 1)]
    [InlineData(0, 0)]
    public void TheFirstStepsArePerturbed(double until, int expected)
    {
        using var run = new SmallRun(SmallRun.OptionsFor("tvaccine").With("perturb_until", until));
        List<StepMetrics> steps = run.Train();

        Assert.Equal(Enumerable.Repeat(true, expected).Concat(Enumerable.Repeat(false, 8 - expected)), steps.Select(static step => step.Number("perturbation_norm") > 0));
        Assert.All(steps, static step => Assert.Equal(2 * 7 * 2, step.TensorsWithGradient)); // two layers, as before
    }

    /// <summary>7 of 100 steps are 0.07 of them, though 0.07 * 100 is more than 7.</summary>
    [Theory]
    [InlineData(0.07, 100, 7)]
    [InlineData(0.29, 100, 29)]
    [InlineData(0.1, 30, 3)]
    public void AShareOfTheStepsIsExact(double until, int total, int expected)
    {
        var perturbed = new PerturbedTraining(MethodSettings.Of(Preset.Paper).With("perturb_until", until));

        Assert.Equal(expected, Enumerable.Range(0, total).Count(step => perturbed.IsPerturbed(step, total)));
    }

    private static SiteKind KindOf(PerturbSite site) => site switch
    {
        PerturbSite.Attention => SiteKind.AttentionOutput,
        PerturbSite.Mlp => SiteKind.MlpOutput,
        _ => SiteKind.Residual,
    };

    private static StepMetrics Update(SmallRun run, double clip)
    {
        var metrics = new StepMetrics { Step = 0, Epoch = 0, LearningRate = 0.1 };
        var context = new StepContext
        {
            Session = run.Session,
            Number = 0,
            TotalSteps = 1,
            Seed = 0,
            LearningRate = 0.1,
            Clip = clip,
            Samples = new StepSamples(new SampleStreams(run.Options, run.Data), run.Options, step: 0),
            Vectors = [],
            Metrics = metrics,
        };
        context.Update(run.Session.AllTensors);
        return metrics;
    }

    /// <summary>T-Vaccine that computes the second pass from the first layer on.</summary>
    private sealed class WholeTVaccine(FreezeScope scope, BackwardFloor floorRule, List<LayerSet> choices, SiteKind site) : Method
    {
        public override void Step(StepContext step)
        {
            Session session = step.Session;
            LayerSet chosen = choices[step.Number];
            int floor = TVaccineFreezing.Floor(floorRule, chosen, session.LayerCount);
            TensorSet trainable = TVaccineFreezing.Trainable(session, scope, chosen, floor);
            SiteTensor e = session.Site(site);
            e.Select(chosen);
            session.Gradients.Zero();
            MicroBatch micro = Assert.Single(step.Take(SampleKind.Training));
            session.Forward(micro.Batch, micro.PassOptions(1));
            session.Backward(new BackwardOptions { Read = [e] });
            e.ScaleToNorm(3, e.Norms());
            session.Forward(micro.Batch, micro.PassOptions(1) with { Add = [e] });
            session.Backward(new BackwardOptions { Gradients = session.Gradients, Tensors = trainable });
            step.Update(trainable);
        }
    }
}
