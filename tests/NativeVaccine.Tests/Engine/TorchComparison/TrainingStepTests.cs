using NativeVaccine.Engine;
using NativeVaccine.TorchReference;

namespace NativeVaccine.Tests.Engine.TorchComparison;

/// <summary>
/// Three whole steps of Vaccine (arXiv 2402.01109) and T-Vaccine (arXiv 2410.09760), said in the engine's verbs, against the reference's
/// trainer: probe, perturbation, both passes, clipping, AdamW.
/// </summary>
public sealed class TrainingStepTests
{
    private const double LearningRate = 1e-2;
    private const double WeightDecay = 0.1;
    private const float Clip = 1;
    private const float Rho = 2;

    /// <summary>
    /// Far above AdamW's usual 1e-8: with that, a first step is the gradient's sign, which rounding decides where the gradient is nearly 0.
    /// </summary>
    private const double Epsilon = 1e-3;

    /// <summary>The layers of T-Vaccine's steps: a tensor that sits out a step must keep its moments and its count.</summary>
    private static readonly int[][] Chosen = [[1, 2], [2], [0, 2]];

    public static TheoryData<string> Cases() =>
    [
        "multi-head, rank 8",
        "grouped heads, dropout, recomputed",
        "one kv head, rank 1 on q and v",
        "tied, half dropped out on o and down",
        "sliding window, few head rows",
        "bf16 weights, dropout",
        "full, tied, grouped heads",
        "full, all biases, one kv head, window, recomputed",
    ];

    [Theory]
    [MemberData(nameof(Cases))]
    public void TVaccineTrainsAsTheReferenceDoes(string name)
    {
        using var models = new ComparedModel(name);
        var trainer = new ReferenceTrainer(models.Reference, WeightDecay, Clip, Epsilon);
        float[][] start = models.Parameters;
        for (uint step = 0; step < Chosen.Length; step++)
        {
            LayerSet layers = LayerSet.Of(Chosen[step]);
            CompareProbe(models, trainer, step);
            // Both passes have the same masks: the second may start where the first left off.
            ReferenceRunOptions masks = models.ReferencePass(step);
            Func<string, bool> trains = Trains(models.Case, layers);
            ReferenceStep expected = trainer.TVaccineStep(models.Case.Batch, LearningRate, Rho, layers, trains, masks, masks);

            ForwardOptions pass = models.Pass(step);
            CompareStep(models, expected, layers, models.Session.TensorsOf(layers), pass, pass with { FromLayer = layers.Lowest });
        }
        models.CompareChanges(start);
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void VaccineTrainsAsTheReferenceDoes(string name)
    {
        using var models = new ComparedModel(name);
        var trainer = new ReferenceTrainer(models.Reference, WeightDecay, Clip, Epsilon);
        LayerSet layers = LayerSet.All(models.Session.LayerCount);
        float[][] start = models.Parameters;
        for (uint step = 0; step < 3; step++)
        {
            (ReferenceRunOptions first, ReferenceRunOptions second) = (models.ReferencePass(step), models.ReferencePass(step, pass: 1));
            ReferenceStep expected = models.Case.IsFull
                ? trainer.TVaccineStep(models.Case.Batch, LearningRate, Rho, layers, static _ => true, first, second)
                : trainer.VaccineStep(models.Case.Batch, LearningRate, Rho, first, second);

            CompareStep(models, expected, layers, models.Session.AllTensors, models.Pass(step), models.Pass(step, pass: 1));
        }
        models.CompareChanges(start);
    }

    /// <summary>Other sites than the papers', and a perturbation of all samples but the first two.</summary>
    [Theory]
    [InlineData("multi-head, rank 8", SiteKind.MlpOutput, true)]
    [InlineData("multi-head, rank 8", SiteKind.Residual, false)]
    [InlineData("grouped heads, dropout, recomputed", SiteKind.Residual, true)]
    [InlineData("full, tied, grouped heads", SiteKind.MlpOutput, false)]
    [InlineData("full, tied, grouped heads", SiteKind.AttentionOutput, true)]
    public void TVaccineElsewhereTrainsAsTheReferenceDoes(string name, SiteKind kind, bool isMasked)
    {
        using var models = new ComparedModel(name);
        var trainer = new ReferenceTrainer(models.Reference, WeightDecay, Clip, Epsilon);
        Func<int, bool> isPerturbed = isMasked ? static sample => sample >= 2 : static _ => true;
        bool[] rows = [.. models.Case.Batch.SelectMany((sample, index) => Enumerable.Repeat(isPerturbed(index), sample.Ids.Length))];
        float[][] start = models.Parameters;
        for (uint step = 0; step < Chosen.Length; step++)
        {
            LayerSet layers = LayerSet.Of(Chosen[step]);
            ReferenceRunOptions masks = models.ReferencePass(step);
            ReferenceStep expected = trainer.TVaccineStep(
                models.Case.Batch, LearningRate, Rho, layers, Trains(models.Case, layers), masks, masks, ComparedModel.SiteOf(kind, 0).Kind, isPerturbed);

            ForwardOptions pass = models.Pass(step);
            // What enters a layer is disturbed where the layer below leaves it.
            ForwardOptions second = pass with { FromLayer = Math.Max(0, layers.Lowest - (kind == SiteKind.Residual ? 1 : 0)) };
            CompareStep(models, expected, layers, models.Session.TensorsOf(layers), pass, second, kind, isMasked ? rows : null);
        }
        models.CompareChanges(start);
    }

    private static void CompareProbe(ComparedModel models, ReferenceTrainer trainer, uint step)
    {
        ReferenceSample sample = models.Case.Batch.First(static sample => sample.LabelCount > 0);
        (double loss, double[] expected) = trainer.Probe(sample, models.ReferencePass(step, tokens: sample.Ids.Length));

        PassResult result = models.Session.Forward(ComparedModel.BatchOf([sample]), models.Pass(step));
        SiteNorms norms = models.Session.Backward(new BackwardOptions { NormsOf = SiteKind.AttentionOutput })!;

        Compare.Losses(loss * sample.LabelCount, sample.LabelCount, result);
        for (int layer = 0; layer < expected.Length; layer++) Compare.Norms($"probe, layer {layer}", expected[layer], norms[layer]);
    }

    private static void CompareStep(
        ComparedModel models, ReferenceStep expected, LayerSet layers, TensorSet tensors, ForwardOptions first, ForwardOptions second,
        SiteKind kind = SiteKind.AttentionOutput, bool[]? rows = null)
    {
        Session session = models.Session;
        SiteTensor perturbation = models.Site(kind, 0, layers);
        PassResult pass1 = session.Forward(models.Batch, first);
        session.Backward(new BackwardOptions { Read = [perturbation], Floor = layers.Lowest });
        if (rows is not null) perturbation.MaskRows(rows);
        SiteNorms norms = perturbation.Norms();
        perturbation.ScaleToNorm(Rho, norms);
        PassResult pass2 = session.Forward(models.Batch, second with { Add = [perturbation] });
        session.Gradients.Zero();
        session.Backward(new BackwardOptions { Gradients = session.Gradients, Tensors = tensors });
        (session.Optimizer.WeightDecay, session.Optimizer.Epsilon) = (WeightDecay, Epsilon);
        Scalar norm = session.Optimizer.Step(session.Gradients, LearningRate, tensors, Clip);

        int labels = models.Case.Batch.Sum(static sample => sample.LabelCount);
        Compare.Losses(expected.Pass1Loss!.Value * labels, labels, pass1);
        Compare.Losses(expected.Loss * labels, labels, pass2);
        foreach (int layer in layers) Compare.Norms($"layer {layer}", expected.SiteGradientNorms[layer], norms[layer]);
        Compare.Norms("all layers", expected.SiteGradientNorm!.Value, norms.Total);
        Compare.Norms("gradient", expected.GradientNorm, norm.Value);
        Assert.Equal(expected.TensorsWithGradient, tensors.Count);
    }

    /// <summary>The reference's names of what trains in some layers.</summary>
    private static Func<string, bool> Trains(ComparisonCase its, LayerSet layers) => its.IsFull
        ? name => layers.Any(layer => name.StartsWith($"model.layers.{layer}.", StringComparison.Ordinal))
        : ReferenceTrainer.LoraOf(layers);
}
