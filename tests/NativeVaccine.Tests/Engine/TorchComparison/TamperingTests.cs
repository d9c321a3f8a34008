using NativeVaccine.Data;
using NativeVaccine.Engine;
using NativeVaccine.Methods;
using NativeVaccine.TorchReference;
using NativeVaccine.Training;

namespace NativeVaccine.Tests.Engine.TorchComparison;

/// <summary>
/// Three whole steps of the methods that look at what harmful fine-tuning would do (Booster, TAR and its small form), by the trainer,
/// against the reference's: every number that they tell, and what they change.
/// </summary>
public sealed class TamperingTests
{
    private const int Steps = 3;
    private const double LearningRate = 1e-2;
    private const double WeightDecay = 0.1;

    /// <summary>As in <see cref="TrainingStepTests"/>.</summary>
    private const double Epsilon = 1e-3;

    /// <summary>The samples of each of the adversary's steps. The second sample of a case has no label.</summary>
    private static readonly int[][] Adversary = [[0, 2], [2, 4], [0, 1, 4]];

    public static TheoryData<string> Cases() =>
    [
        "multi-head, rank 8",
        "grouped heads, dropout, recomputed",
        "tied, half dropped out on o and down",
        "bf16 weights, dropout",
    ];

    [Theory]
    [MemberData(nameof(Cases))]
    public void BoosterTrainsAsTheReferenceDoes(string name)
    {
        foreach (InnerRestore restore in Enum.GetValues<InnerRestore>())
        {
            TrainingOptions options = OptionsOf("booster").With("inner_step", 0.3).With("restore", restore);
            Run(name, options, [[0, 2, 4]], (trainer, batches, _) =>
                trainer.BoosterStep(batches.Training, batches.Harmful[0], LearningRate, alpha: 0.3, lambda: 5));
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void TarLiteTrainsAsTheReferenceDoes(string name) =>
        Run(name, OptionsOf("tar-lite").With("inner_learning_rate", 0.2), [[0, 2, 4]], (trainer, batches, _) =>
            trainer.TarLiteStep(batches.Training, batches.Harmful[0], LearningRate, innerRate: 0.2, weight: 2));

    [Theory]
    [InlineData("multi-head, rank 8", InnerOptimizer.Adamw, 1.0)]
    [InlineData("multi-head, rank 8", InnerOptimizer.Sgd, 0.0)]
    [InlineData("grouped heads, dropout, recomputed", InnerOptimizer.Sgd, 0.5)]
    [InlineData("tied, half dropped out on o and down", InnerOptimizer.Adamw, 0.5)]
    public void TarTrainsAsTheReferenceDoes(string name, InnerOptimizer optimizer, double retainWeight)
    {
        var settings = new ReferenceTar(
            // AdamW's first step is the gradient's sign, which rounding decides where the gradient is nearly 0: the step must be small.
            InnerRate: optimizer == InnerOptimizer.Adamw ? 1e-3 : 0.1, UsesAdamW: optimizer == InnerOptimizer.Adamw, Every: 2, Weight: 3, Decay: 0.5, RetainWeight: retainWeight);
        TrainingOptions options = OptionsOf("tar")
            .With("inner_steps", Adversary.Length)
            .With("inner_optimizer", optimizer)
            .With("inner_learning_rate", settings.InnerRate)
            .With("tamper_weight", settings.Weight)
            .With("tamper_gradient_every", settings.Every)
            .With("tamper_decay", settings.Decay)
            .With("retain_weight", retainWeight);
        Run(name, options, Adversary, (trainer, batches, original) =>
            trainer.TarStep(batches.Training, batches.Harmful, batches.HeldOut, original, LearningRate, settings));
    }

    private static TrainingOptions OptionsOf(string method) => TrainingDefaults.For(TrainingStage.Align, method, Preset.Paper) with
    {
        LearningRate = LearningRate,
        Schedule = ScheduleKind.Constant,
        WeightDecay = WeightDecay,
        AdamEpsilon = Epsilon,
        Seed = ComparedModel.DropoutSeed,
    };

    /// <summary>The batches of a step as the reference takes them.</summary>
    private sealed record StepBatches(ReferenceBatch Training, ReferenceBatch[] Harmful, ReferenceBatch HeldOut);

    private static void Run(
        string name,
        TrainingOptions options,
        int[][] harmful,
        Func<ReferenceTrainer, StepBatches, Dictionary<string, double[]>, ReferenceStep> step)
    {
        Method method = MethodCatalog.Create(options);
        using var models = new ComparedModel(name, method.Needs);
        options = options with { Dropout = models.Case.Dropout };
        var trainer = new ReferenceTrainer(models.Reference, WeightDecay, epsilon: Epsilon);
        float[][] start = [.. models.Session.TrainableTensors.Select(models.Session.Parameters.Read)];
        List<StepMetrics> actual = Train(models, method, options, harmful);
        Dictionary<string, double[]> original = trainer.Parameters();
        for (uint number = 0; number < Steps; number++)
        {
            StepMetrics found = actual[(int)number];
            ReferenceStep expected = step(trainer, BatchesOf(models, number, harmful), original);
            Compare.MeanLoss($"step {number}: loss", expected.Loss, found.Loss);
            Compare.Norms($"step {number}: gradient", expected.GradientNorm, found.GradientNorm);
            foreach ((string quantity, double value) in expected.Numbers)
            {
                if (quantity == "hidden_distance" && options.Settings.Find(RetainWeightOf(options)) is 0.0) continue;
                Action<string, double, double> compare = quantity.Contains("norm", StringComparison.Ordinal) ? Compare.Norms : Compare.MeanLoss;
                compare($"step {number}: {quantity}", value, found.Number(quantity)!.Value);
            }
        }
        foreach ((ModelTensor tensor, float[] before) in models.Session.TrainableTensors.Zip(start))
            Compare.Change(tensor.Name, before, models.Reference.Read(ComparedModel.NameOf(tensor)), models.Session.Parameters.Read(tensor));
    }

    private static MethodOption RetainWeightOf(TrainingOptions options) =>
        MethodCatalog.Require(options.Method).Options.Single(static option => option.Name == "retain_weight");

    private static List<StepMetrics> Train(ComparedModel models, Method method, TrainingOptions options, int[][] harmful)
    {
        int[] all = [.. Enumerable.Range(0, models.Case.Batch.Length)];
        var taken = new Dictionary<SampleKind, IReadOnlyList<int[]>>
        {
            [SampleKind.Training] = [all],
            [SampleKind.Harmful] = harmful,
            [SampleKind.HeldOut] = [all],
        };
        var data = new TrainingData(SamplesOf(models.Case.Batch))
        {
            Pools = new Dictionary<SampleKind, SamplePool>
            {
                [SampleKind.Harmful] = new(SamplesOf(Shifted(models, by: 7))),
                [SampleKind.HeldOut] = new(SamplesOf(Shifted(models, by: 11))),
            },
            Replay = [.. Enumerable.Range(0, Steps).Select(step => new ReplayStep(step, taken))],
        };
        var metrics = new List<StepMetrics>();
        new Trainer(models.Session, method, options, data) { StepDone = metrics.Add }.Run();
        return metrics;
    }

    private static StepBatches BatchesOf(ComparedModel models, uint number, int[][] harmful)
    {
        ReferenceSample[] shifted = Shifted(models, by: 7);
        return new StepBatches(
            Of(SampleKind.Training, models.Case.Batch),
            [.. harmful.Select(batch => Of(SampleKind.Harmful, [.. batch.Select(index => shifted[index])]))],
            Of(SampleKind.HeldOut, Shifted(models, by: 11)));

        ReferenceBatch Of(SampleKind kind, ReferenceSample[] samples)
        {
            var micro = new MicroBatch(ComparedModel.BatchOf(samples), 1) { Kind = kind, Seed = ComparedModel.DropoutSeed, Number = number };
            int tokens = samples.Sum(static sample => sample.Ids.Length);
            return new ReferenceBatch(samples, pass => Masks(models.Case, tokens, micro.PassOptions(pass)));
        }
    }

    private static ReferenceRunOptions Masks(ComparisonCase its, int tokens, ForwardOptions pass) => its.Dropout == 0
        ? new()
        : new() { DropoutMasks = DropoutMasks.Of(its, tokens, pass.Seed, pass.Step, pass.Pass) };

    /// <summary>Other samples of the same lengths.</summary>
    private static ReferenceSample[] Shifted(ComparedModel models, int by)
    {
        int Shift(int id) => id == ReferenceSample.Ignored ? id : (id + by) % models.Case.Model.VocabularySize;
        return [.. models.Case.Batch.Select(sample => new ReferenceSample([.. sample.Ids.Select(Shift)], [.. sample.Labels.Select(Shift)]))];
    }

    private static Sample[] SamplesOf(ReferenceSample[] samples) => [.. samples.Select(static sample => new Sample(sample.Ids, sample.Labels))];
}
