using NativeVaccine.Engine;
using NativeVaccine.TorchReference;

namespace NativeVaccine.Tests.Engine.TorchComparison;

/// <summary>Losses, activations and every gradient of the engine against autograd in float64, on each model of the table.</summary>
public sealed class GradientTests
{
    private const float Deviation = 0.3f;
    private static readonly SiteKind[] Kinds = Enum.GetValues<SiteKind>();

    public static TheoryData<string> Cases() => [.. ComparisonCase.All.Keys];

    [Theory]
    [MemberData(nameof(Cases))]
    public void APassHasTheReferencesGradients(string name)
    {
        using var models = new ComparedModel(name);
        Session session = models.Session;
        ReferenceResult expected = models.Reference.Run(models.Case.Batch, Trained(models, models.ReferencePass()));
        SiteTensor[] activations = Sites(models, 0), gradients = Sites(models, 1);

        PassResult result = session.Forward(models.Batch, models.Pass() with { Record = activations });
        session.Backward(new BackwardOptions { Gradients = session.Gradients, Read = gradients });

        Compare.Losses(expected.LossSum, expected.LabelCount, result);
        foreach (SiteKind kind in Kinds)
        {
            Compare.Activations(expected, activations[(int)kind]);
            Compare.SiteGradients(expected, new Dictionary<ReferenceSite, double[]>(), gradients[(int)kind]);
        }
        Compare.ParameterGradients(expected, session);
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void WhatIsAddedAtSitesReachesEveryGradient(string name)
    {
        using var models = new ComparedModel(name);
        Session session = models.Session;
        SiteTensor[] activations = Sites(models, 0), gradients = Sites(models, 1);
        SiteTensor[] perturbations = Sites(models, 2), addends = Sites(models, 3);
        Dictionary<ReferenceSite, double[]> perturbed = Noise(models, perturbations, seed: 3), added = Noise(models, addends, seed: 4);
        ReferenceResult expected = models.Reference.Run(
            models.Case.Batch, Trained(models, models.ReferencePass()) with { Perturbations = perturbed, AddedGradients = added });

        PassResult result = session.Forward(models.Batch, models.Pass() with { Record = activations, Add = perturbations });
        session.Backward(new BackwardOptions { Gradients = session.Gradients, Read = gradients, Add = addends });

        Compare.Losses(expected.LossSum, expected.LabelCount, result);
        foreach (SiteKind kind in Kinds)
        {
            Compare.Activations(expected, activations[(int)kind]);
            Compare.SiteGradients(expected, added, gradients[(int)kind]);
        }
        Compare.ParameterGradients(expected, session);
    }

    [Theory]
    [InlineData(SiteKind.AttentionOutput, 0)]
    [InlineData(SiteKind.AttentionOutput, 1)]
    [InlineData(SiteKind.MlpOutput, 1)]
    [InlineData(SiteKind.MlpOutput, 2)]
    [InlineData(SiteKind.Residual, 0)]
    [InlineData(SiteKind.Residual, 2)]
    [InlineData(SiteKind.Residual, 3)]
    public void ASiteAloneMayBePerturbedAndAddedTo(SiteKind kind, int layer)
    {
        using var models = new ComparedModel("grouped heads, dropout, recomputed");
        Session session = models.Session;
        SiteTensor gradients = models.Site(kind, 1);
        SiteTensor perturbation = models.Site(kind, 2, LayerSet.Of(layer)), addend = models.Site(kind, 3, LayerSet.Of(layer));
        Dictionary<ReferenceSite, double[]> perturbed = Noise(models, [perturbation], seed: 5), added = Noise(models, [addend], seed: 6);
        ReferenceResult expected = models.Reference.Run(
            models.Case.Batch, Trained(models, models.ReferencePass()) with { Perturbations = perturbed, AddedGradients = added });

        PassResult result = session.Forward(models.Batch, models.Pass() with { Add = [perturbation] });
        session.Backward(new BackwardOptions { Gradients = session.Gradients, Read = [gradients], Add = [addend] });

        Compare.Losses(expected.LossSum, expected.LabelCount, result);
        Compare.SiteGradients(expected, added, gradients);
        Compare.ParameterGradients(expected, session);
    }

    /// <summary>Several losses at a point, below the last layer, after one norm and two, of labels, entropy and a teacher.</summary>
    [Theory]
    [MemberData(nameof(Cases))]
    public void LossHeadsJoinTheLoss(string name)
    {
        const float lossScale = 0.5f;
        using var models = new ComparedModel(name);
        Session session = models.Session;
        int top = session.LayerCount;
        LossHead[] heads =
        [
            new(0, Weight: 0.5f),
            new(2, Weight: -0.25f),
            new(top, Weight: 0.75f),
            new(top, Weight: 0.25f, Norms: 2),
            new(top, LossKind.NegativeEntropy, Weight: 0.5f),
            new(1, LossKind.NegativeEntropy, Weight: -0.25f, Norms: 2),
        ];
        if (!models.Case.IsFull)
            heads = [.. heads, new(top, LossKind.Teacher, Weight: 0.75f), new(2, LossKind.Teacher), new(top, LossKind.Teacher, 0.5f, Norms: 2)];
        ReferenceResult expected = models.Reference.Run(models.Case.Batch, Trained(models, models.ReferencePass()) with
        {
            // The reference always has a head of labels at the top, of weight 1.
            Heads = [.. heads.Select(head => ReferenceHeadOf(head, lossScale)), new(top, -1)],
            TeacherLogits = models.Case.IsFull ? [] : RecordedTeacher(models),
        });
        SiteTensor[] gradients = Sites(models, 1);

        PassResult result = session.Forward(models.Batch, models.Pass() with { Heads = heads });
        session.Backward(new BackwardOptions { Gradients = session.Gradients, Read = gradients, LossScale = lossScale });

        Compare.Losses(heads.Index().Sum(head => head.Item.Weight * expected.HeadLossSums[head.Index]), expected.LabelCount, result);
        if (expected.LabelCount > 0)
            foreach ((int index, LossHead head) in heads.Index())
                Compare.MeanLoss($"{head}", expected.HeadLossSums[index] / expected.LabelCount, result.HeadLoss(index));
        Assert.All(gradients, site => Compare.SiteGradients(expected, new Dictionary<ReferenceSite, double[]>(), site));
        Compare.ParameterGradients(expected, session);
    }

    [Fact]
    public void AHeadReadsThePerturbedResidualStream()
    {
        LossHead[] heads = [new(1, Weight: -0.5f), new(2, Weight: 0.25f), new(3)];
        using var models = new ComparedModel("multi-head, rank 8");
        Session session = models.Session;
        SiteTensor perturbation = models.Site(SiteKind.Residual, 0, LayerSet.Of(1, 2, 3));
        // The reference's heads read what comes before a perturbation; one at the MLP's output comes to the same stream before them.
        var perturbed = Noise(models, [perturbation], seed: 8)
            .ToDictionary(static noise => new ReferenceSite(ReferenceSiteKind.MlpOutput, noise.Key.Index - 1), static noise => noise.Value);
        ReferenceRunOptions options = Trained(models, models.ReferencePass()) with
        {
            Perturbations = perturbed,
            Heads = [.. heads[..2].Select(static head => ReferenceHeadOf(head))],
        };
        ReferenceResult expected = models.Reference.Run(models.Case.Batch, options);

        PassResult result = session.Forward(models.Batch, models.Pass() with { Add = [perturbation], Heads = heads });
        session.Backward(new BackwardOptions { Gradients = session.Gradients });

        double below = expected.HeadLossSums.Zip(heads, static (sum, head) => sum * head.Weight).Sum();
        Compare.Losses(expected.LossSum + below, expected.LabelCount, result);
        Compare.ParameterGradients(expected, session);
    }

    /// <summary>A first pass that reads gradients down to a layer, then a second that starts there from the residual left there.</summary>
    [Theory]
    [MemberData(nameof(Cases))]
    public void ASecondPassFromAStoredResidualHasAllGradients(string name)
    {
        using var models = new ComparedModel(name);
        Session session = models.Session;
        for (int from = 1; from < session.LayerCount; from++)
        {
            LayerSet upper = LayerSet.Of(Enumerable.Range(from, session.LayerCount - from));
            SiteTensor read = models.Site(SiteKind.AttentionOutput, 0, upper);
            SiteTensor perturbation = models.Site(SiteKind.AttentionOutput, 1, upper);
            Dictionary<ReferenceSite, double[]> perturbed = Noise(models, [perturbation], seed: 7);
            ReferenceResult expected = models.Reference.Run(
                models.Case.Batch, Trained(models, models.ReferencePass()) with { Perturbations = perturbed });

            session.Forward(models.Batch, models.Pass());
            session.Backward(new BackwardOptions { Read = [read], Floor = from });
            PassResult result = session.Forward(models.Batch, models.Pass() with { Add = [perturbation], FromLayer = from });
            session.Gradients.Zero();
            session.Backward(new BackwardOptions { Gradients = session.Gradients });

            Compare.Losses(expected.LossSum, expected.LabelCount, result);
            Compare.ParameterGradients(expected, session);
        }
    }

    [Theory]
    [InlineData("multi-head, rank 8")]
    [InlineData("grouped heads, dropout, recomputed")]
    [InlineData("full, all biases, one kv head, window, recomputed")]
    [InlineData("no labels")]
    public void NormsAreTakenWithoutStoringAGradient(string name)
    {
        using var models = new ComparedModel(name);
        ReferenceResult expected = models.Reference.Run(models.Case.Batch, models.ReferencePass() with { GradientsOf = static _ => false });
        foreach (SiteKind kind in Kinds)
        {
            models.Session.Forward(models.Batch, models.Pass());
            SiteNorms norms = models.Session.Backward(new BackwardOptions { NormsOf = kind })!;

            Assert.Equal(models.Site(kind, 0).Layers, norms.Layers);
            foreach (int layer in norms.Layers)
                Compare.Norms($"{kind} {layer}", expected.SiteGradientNorm(ComparedModel.SiteOf(kind, layer)), norms[layer]);
        }
    }

    private static ReferenceRunOptions Trained(ComparedModel models, ReferenceRunOptions options) =>
        options with { GradientsOf = name => models.Case.IsFull || ReferenceModel.IsLora(name) };

    private static ReferenceHead ReferenceHeadOf(LossHead head, double scale = 1) =>
        new(head.Point, scale * head.Weight, Enum.Parse<ReferenceLossKind>(head.Kind.ToString()), head.Norms);

    /// <summary>Makes the model without its adapter the engine's teacher; its logits by the reference, beside which the loss is compared.</summary>
    private static double[][] RecordedTeacher(ComparedModel models)
    {
        using ReferenceModel plain = models.CreateBase();
        ReferenceResult expected = plain.Run(models.Case.Batch, new ReferenceRunOptions { GradientsOf = static _ => false });
        PassResult result = models.Session.Forward(
            models.Batch, models.Pass() with { ForBackward = false, AdapterOff = true, RecordTeacher = true });
        Compare.Losses(expected.LossSum, expected.LabelCount, result);
        return expected.Logits;
    }

    private static SiteTensor[] Sites(ComparedModel models, int index) => [.. Kinds.Select(kind => models.Site(kind, index))];

    private static Dictionary<ReferenceSite, double[]> Noise(ComparedModel models, IEnumerable<SiteTensor> sites, uint seed) =>
        sites.SelectMany(site => models.FillWithNoise(site, Deviation, seed)).ToDictionary();
}
