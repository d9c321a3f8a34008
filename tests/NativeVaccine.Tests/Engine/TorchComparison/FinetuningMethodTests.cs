using System.Text.Json.Nodes;
using NativeVaccine.Data;
using NativeVaccine.Engine;
using NativeVaccine.Methods;
using NativeVaccine.TorchReference;
using NativeVaccine.Training;

namespace NativeVaccine.Tests.Engine.TorchComparison;

/// <summary>
/// Steps of the methods for fine-tuning, by trainer and engine, against their mathematics in the reference: penalties and their gradients
/// in double, torch's autograd, and a teacher's logits.
/// </summary>
public sealed class FinetuningMethodTests
{
    private const double LearningRate = 1e-2;
    private const double WeightDecay = 0.1;

    /// <summary>See <see cref="TrainingStepTests"/>.</summary>
    private const double Epsilon = 1e-3;

    /// <summary>The samples of the other stream, by their places in the case's batch.</summary>
    private static readonly int[] Pool = [0, 2, 4];

    public static TheoryData<string> Cases() =>
        ["multi-head, rank 8", "grouped heads, dropout, recomputed", "tied, half dropped out on o and down"];

    [Theory]
    [MemberData(nameof(Cases))]
    public void LisaTrainsAsTheReferenceDoes(string name)
    {
        const double rho = 3;
        string[] states = ["guide", "guide", "user", "user"];
        using var models = new ComparedModel(name);
        TrainingOptions options = OptionsFor(models, "lisa").With("rho", rho);
        float[][] start = models.Parameters;
        Dictionary<string, double[]> other = Weights(models);
        TrainingData data = DataOf(models, SampleKind.Guide) with
        {
            Replay = [.. states.Index().Select(state => new ReplayStep(state.Index, Taken(state.Item)) { Values = new JsonObject { ["state"] = state.Item } })],
        };
        List<StepMetrics> steps = Train(models, options, data);

        var trainer = new ReferenceTrainer(models.Reference, WeightDecay, epsilon: Epsilon);
        for (int step = 0; step < states.Length; step++)
        {
            if (step > 0 && states[step] != states[step - 1]) other = Weights(models);
            bool isGuide = states[step] == "guide";
            ReferenceSample[] batch = isGuide ? PoolOf(models) : models.Case.Batch;
            // The term begins after a tenth of the steps, which the first of four is.
            Dictionary<string, double[]> drift = step == 0 ? Map(other, static _ => 0) : Difference(Weights(models), other);
            double proximal = rho / 2 * SumOfSquares(drift);
            ReferenceRunOptions masks = Masks(models, options, isGuide ? SampleKind.Guide : SampleKind.Training, step, batch);
            ReferenceStep expected = trainer.PenalizedStep(batch, LearningRate, Map(drift, static value => rho * value), masks);

            Compare.MeanLoss($"step {step}: ce_loss", expected.Loss, steps[step].Number("ce_loss")!.Value);
            Compare.MeanLoss($"step {step}: loss", expected.Loss + proximal, steps[step].Loss);
            Compare.Norms($"step {step}: proximal", proximal, steps[step].Number("proximal")!.Value);
            Compare.Norms($"step {step}: gradient", expected.GradientNorm, steps[step].GradientNorm);
            Assert.Equal(step is 1 or 3, proximal > 0);
        }
        models.CompareChanges(start);

        Dictionary<SampleKind, IReadOnlyList<int[]>> Taken(string state) => state == "guide"
            ? new() { [SampleKind.Guide] = [[0, 1, 2]] }
            : new() { [SampleKind.Training] = [Whole(models)] };
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void EwcTrainsAsTheReferenceDoes(string name)
    {
        const double lambda = 2;
        int[][] fisherBatches = [[0], [1, 2]];
        using var models = new ComparedModel(name);
        TrainingOptions options = OptionsFor(models, "ewc").With("lambda", lambda);
        float[][] start = models.Parameters;
        Dictionary<string, double[]> beginning = Weights(models), fisher = Map(beginning, static _ => 0);
        foreach ((int index, int[] places) in fisherBatches.Index())
        {
            ReferenceSample[] batch = [.. places.Select(place => PoolOf(models)[place])];
            ReferenceRunOptions masks = Masks(models, options, SampleKind.Fisher, step: 0, batch, index);
            ReferenceResult result = models.Reference.Run(batch, masks with { GradientsOf = ReferenceModel.IsLora });
            foreach ((string tensor, double[] gradient) in result.Gradients)
                for (int i = 0; i < gradient.Length; i++) fisher[tensor][i] += gradient[i] * gradient[i];
        }
        TrainingData data = DataOf(models, SampleKind.Fisher) with
        {
            Replay = [.. Enumerable.Range(0, 3).Select(step => new ReplayStep(step, Taken(step)))],
        };
        List<StepMetrics> steps = Train(models, options, data);

        var trainer = new ReferenceTrainer(models.Reference, WeightDecay, epsilon: Epsilon);
        for (int step = 0; step < 3; step++)
        {
            Dictionary<string, double[]> drift = Difference(Weights(models), beginning);
            Dictionary<string, double[]> gradient = drift.ToDictionary(
                static tensor => tensor.Key, tensor => (double[])[.. tensor.Value.Zip(fisher[tensor.Key], static (d, f) => 2 * lambda * f * d)]);
            double penalty = drift.Sum(tensor => tensor.Value.Zip(fisher[tensor.Key], static (d, f) => lambda * f * d * d).Sum());
            ReferenceRunOptions masks = Masks(models, options, SampleKind.Training, step, models.Case.Batch);
            ReferenceStep expected = trainer.PenalizedStep(models.Case.Batch, LearningRate, gradient, masks);

            Compare.MeanLoss($"step {step}: ce_loss", expected.Loss, steps[step].Number("ce_loss")!.Value);
            Compare.MeanLoss($"step {step}: loss", expected.Loss + penalty, steps[step].Loss);
            Compare.Norms($"step {step}: penalty", penalty, steps[step].Number("penalty")!.Value);
            Compare.Norms($"step {step}: penalty's gradient", Math.Sqrt(SumOfSquares(gradient)), steps[step].Number("penalty_gradient_norm")!.Value);
            Compare.Norms($"step {step}: gradient", expected.GradientNorm, steps[step].GradientNorm);
            Assert.Equal(step > 0, penalty > 0);
        }
        models.CompareChanges(start);

        Dictionary<SampleKind, IReadOnlyList<int[]>> Taken(int step)
        {
            var taken = new Dictionary<SampleKind, IReadOnlyList<int[]>> { [SampleKind.Training] = [Whole(models)] };
            if (step == 0) taken[SampleKind.Fisher] = fisherBatches;
            return taken;
        }
    }

    /// <summary>A continued adapter is a part of its teacher, of a fresh one's it is not.</summary>
    [Theory]
    [InlineData("multi-head, rank 8", true)]
    [InlineData("multi-head, rank 8", false)]
    [InlineData("grouped heads, dropout, recomputed", true)]
    [InlineData("tied, half dropped out on o and down", false)]
    public void KlTrainsAsTheReferenceDoes(string name, bool isContinued)
    {
        const double lambda = 0.7;
        using var models = new ComparedModel(name);
        TrainingOptions options = OptionsFor(models, "kl").With("lambda", lambda) with { InitAdapter = isContinued ? "an adapter" : null };
        float[][] start = models.Parameters;
        using ReferenceModel plain = models.CreateBase();
        var evaluation = new ReferenceRunOptions { GradientsOf = static _ => false };
        double[][] teacher = (isContinued ? models.Reference : plain).Run(models.Case.Batch, evaluation).Logits;
        var data = new TrainingData(DataOf(models, SampleKind.Guide).Samples) { Replay = [.. Enumerable.Range(0, 3).Select(step => new ReplayStep(step, [Whole(models)]))] };
        List<StepMetrics> steps = Train(models, options, data);

        var trainer = new ReferenceTrainer(models.Reference, WeightDecay, epsilon: Epsilon);
        for (int step = 0; step < 3; step++)
        {
            ReferenceRunOptions pass = Masks(models, options, SampleKind.Training, step, models.Case.Batch) with
            {
                Heads = [new ReferenceHead(models.Case.Model.LayerCount, lambda, ReferenceLossKind.Teacher)],
                TeacherLogits = teacher,
            };
            ReferenceResult run = models.Reference.Run(models.Case.Batch, pass with { GradientsOf = static _ => false });
            double divergence = run.HeadLossSums[0] / run.LabelCount;
            ReferenceStep expected = trainer.SupervisedStep(models.Case.Batch, LearningRate, ReferenceTrainer.EveryLora, pass);

            Compare.MeanLoss($"step {step}: ce_loss", expected.Loss, steps[step].Number("ce_loss")!.Value);
            Compare.MeanLoss($"step {step}: kl", divergence, steps[step].Number("kl")!.Value);
            Compare.MeanLoss($"step {step}: loss", expected.Loss + (lambda * divergence), steps[step].Loss);
            Compare.Norms($"step {step}: gradient", expected.GradientNorm, steps[step].GradientNorm);
            Assert.True(step == 0 || divergence > 1e-3, $"step {step}: {divergence}");
        }
        models.CompareChanges(start);
    }

    private static TrainingOptions OptionsFor(ComparedModel models, string method) =>
        TrainingDefaults.For(TrainingStage.Finetune, method, Preset.Paper) with
        {
            Batch = models.Case.Batch.Length,
            Epochs = 1,
            Schedule = ScheduleKind.Constant,
            LearningRate = LearningRate,
            WeightDecay = WeightDecay,
            AdamEpsilon = Epsilon,
            Dropout = models.Case.Dropout,
        };

    private static List<StepMetrics> Train(ComparedModel models, TrainingOptions options, TrainingData data)
    {
        var metrics = new List<StepMetrics>();
        new Trainer(models.Session, MethodCatalog.Create(options), options, data) { StepDone = metrics.Add }.Run();
        return metrics;
    }

    private static TrainingData DataOf(ComparedModel models, SampleKind pool) => new(Samples(models.Case.Batch))
    {
        Pools = new Dictionary<SampleKind, SamplePool> { [pool] = new(Samples(PoolOf(models))) },
    };

    private static Sample[] Samples(ReferenceSample[] samples) => [.. samples.Select(static sample => new Sample(sample.Ids, sample.Labels))];

    private static ReferenceSample[] PoolOf(ComparedModel models) => [.. Pool.Select(place => models.Case.Batch[place])];

    private static int[] Whole(ComparedModel models) => [.. Enumerable.Range(0, models.Case.Batch.Length)];

    /// <summary>The masks of the pass that trains on a micro-batch.</summary>
    private static ReferenceRunOptions Masks(
        ComparedModel models, TrainingOptions options, SampleKind kind, int step, ReferenceSample[] batch, int index = 0)
    {
        if (!options.UsesDropout) return new ReferenceRunOptions();
        var micro = new MicroBatch(ComparedModel.BatchOf(batch), 1) { Kind = kind, Seed = options.Seed, Number = (uint)(step + index) };
        ForwardOptions pass = micro.PassOptions(pass: 1);
        return new ReferenceRunOptions { DropoutMasks = DropoutMasks.Of(models.Case, micro.Batch.TokenCount, pass.Seed, pass.Step, pass.Pass) };
    }

    private static Dictionary<string, double[]> Weights(ComparedModel models) =>
        models.Reference.LoraNames.ToDictionary(static name => name, models.Reference.Read);

    private static Dictionary<string, double[]> Difference(Dictionary<string, double[]> a, Dictionary<string, double[]> b) =>
        a.ToDictionary(static tensor => tensor.Key, tensor => (double[])[.. tensor.Value.Zip(b[tensor.Key], static (x, y) => x - y)]);

    private static Dictionary<string, double[]> Map(Dictionary<string, double[]> of, Func<double, double> map) =>
        of.ToDictionary(static tensor => tensor.Key, tensor => (double[])[.. tensor.Value.Select(map)]);

    private static double SumOfSquares(Dictionary<string, double[]> of) => of.Values.Sum(static tensor => tensor.Sum(static value => value * value));
}
