using NativeVaccine.Data;
using NativeVaccine.Engine;
using NativeVaccine.Methods;
using NativeVaccine.TorchReference;
using NativeVaccine.Training;

namespace NativeVaccine.Tests.Engine.TorchComparison;

/// <summary>Three whole steps of RepNoise (arXiv 2405.14577), noise included, against the reference, which differentiates the formula itself.</summary>
public sealed class RepNoiseTests
{
    private const double LearningRate = 1e-2;
    private const float Clip = 1;

    /// <summary>As in <see cref="TrainingStepTests"/>.</summary>
    private const double Epsilon = 1e-3;

    /// <summary>Pairs with what masks turn on: equal tokens in the middle, token 0, an answer of one token, and other lengths.</summary>
    private static readonly (int[] Prompt, int[] Harmless, int[] Harmful)[] Pairs =
    [
        ([1, 5, 9], [4, 6, 8, 10, 12, 2], [7, 6, 3, 10, 11, 13, 0, 5]),
        ([1, 7], [20, 0, 21, 22, 2], [20, 23, 2]),
        ([3], [28], [27, 26]),
    ];

    [Theory]
    [InlineData("multi-head, rank 8", 0.1, 0.5)]
    [InlineData("one kv head, rank 1 on q and v", 1.0, 0.001)]
    [InlineData("sliding window, few head rows", 0.3, 2.0)]
    [InlineData("full, all biases, one kv head, window, recomputed", 0.1, 1.0)]
    public void TrainsAsTheReferenceDoes(string name, double alpha, double beta)
    {
        using var models = new ComparedModel(name);
        Session session = models.Session;
        double decay = models.Case.IsFull ? 0 : 0.1; // norms and biases do not decay in ours
        (session.Optimizer.WeightDecay, session.Optimizer.Epsilon) = (decay, Epsilon);
        TrainingOptions options = TrainingDefaults.For(TrainingStage.Align, "repnoise", Preset.Paper)
            .With("alpha", alpha)
            .With("beta", beta) with
        {
            Batch = Pairs.Length,
            Epochs = 3,
            Dropout = 0,
        };
        ReferenceSample[] harmless = [.. Pairs.Select(static pair => Sample(pair.Prompt, pair.Harmless))];
        ReferenceSample[] harmful = [.. Pairs.Select(static pair => Sample(pair.Prompt, pair.Harmful))];
        var data = new TrainingData(SamplesOf(harmless))
        {
            Pools = new Dictionary<SampleKind, SamplePool> { [SampleKind.Harmful] = new(SamplesOf(harmful)) },
            Replay = [.. Enumerable.Range(0, 3).Select(static step => new ReplayStep(step, [[0, 1, 2]]))],
        };
        var noise = new List<double[]>();
        var method = new RepNoise(options.Settings) { FillNoise = (site, micro) => noise = Fill(site, micro) };
        var streams = new SampleStreams(options, data);
        var trainer = new ReferenceTrainer(models.Reference, decay, Clip, Epsilon);
        Func<string, bool> trains = models.Case.IsFull ? static _ => true : ReferenceTrainer.EveryLora;
        float[][] start = [.. session.TrainableTensors.Select(session.Parameters.Read)];
        for (int step = 0; step < 3; step++)
        {
            var metrics = new StepMetrics { Step = step, Epoch = 0, LearningRate = LearningRate };
            method.Step(new StepContext
            {
                Session = session,
                Number = step,
                TotalSteps = 3,
                Seed = options.Seed,
                LearningRate = LearningRate,
                Clip = Clip,
                Samples = new StepSamples(streams, options, step),
                Vectors = [],
                Metrics = metrics,
            });
            ReferenceStep expected = trainer.RepNoiseStep(harmless, harmful, LearningRate, trains, alpha, beta, noise);

            Compare.MeanLoss("loss", expected.Loss, metrics.Loss);
            Compare.Norms("gradient", expected.GradientNorm, metrics.GradientNorm);
            Assert.Equal(expected.TensorsWithGradient, metrics.TensorsWithGradient);
        }
        foreach ((ModelTensor tensor, float[] before) in session.TrainableTensors.Zip(start))
            Compare.Change(tensor.Name, before, models.Reference.Read(ComparedModel.NameOf(tensor)), session.Parameters.Read(tensor));
    }

    private static List<double[]> Fill(SiteTensor noise, MicroBatch micro)
    {
        noise.Fill(1, micro.Seed, micro.Number, micro.Batch.TokenCount);
        return [.. noise.Layers.Select(layer => Array.ConvertAll(noise.Read(layer), static value => (double)value))];
    }

    private static ReferenceSample Sample(int[] prompt, int[] answer) =>
        new([.. prompt, .. answer], [.. prompt.Select(static _ => ReferenceSample.Ignored), .. answer]);

    private static Sample[] SamplesOf(ReferenceSample[] samples) => [.. samples.Select(static sample => new Sample(sample.Ids, sample.Labels))];
}
