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

    [Theory]
    [MemberData(nameof(Cases))]
    public void LossHeadsAtResidualPointsJoinTheLoss(string name)
    {
        const float lossScale = 0.5f;
        float[] weights = [0.5f, 0, -0.25f, 0.75f];
        using var models = new ComparedModel(name);
        Session session = models.Session;
        var heads = weights.Index().ToDictionary(static head => head.Index, static head => lossScale * (double)head.Item);
        heads[session.LayerCount] -= 1; // the reference always has a head there, of weight 1
        ReferenceResult expected = models.Reference.Run(
            models.Case.Batch, Trained(models, models.ReferencePass()) with { ResidualHeads = heads });
        SiteTensor[] gradients = Sites(models, 1);

        PassResult result = session.Forward(models.Batch, models.Pass() with { HeadWeights = weights });
        session.Backward(new BackwardOptions { Gradients = session.Gradients, Read = gradients, LossScale = lossScale });

        Compare.Losses(expected.ResidualHeadLossSums.Sum(head => weights[head.Key] * head.Value), expected.LabelCount, result);
        Assert.All(gradients, site => Compare.SiteGradients(expected, new Dictionary<ReferenceSite, double[]>(), site));
        Compare.ParameterGradients(expected, session);
    }

    [Fact]
    public void AHeadReadsThePerturbedResidualStream()
    {
        float[] weights = [0, -0.5f, 0.25f, 1];
        using var models = new ComparedModel("multi-head, rank 8");
        Session session = models.Session;
        SiteTensor perturbation = models.Site(SiteKind.Residual, 0, LayerSet.Of(1, 2, 3));
        // The reference's heads read what comes before a perturbation; one at the MLP's output comes to the same stream before them.
        var perturbed = Noise(models, [perturbation], seed: 8)
            .ToDictionary(static noise => new ReferenceSite(ReferenceSiteKind.MlpOutput, noise.Key.Index - 1), static noise => noise.Value);
        ReferenceRunOptions options = Trained(models, models.ReferencePass()) with
        {
            Perturbations = perturbed,
            ResidualHeads = new Dictionary<int, double> { [1] = weights[1], [2] = weights[2] },
        };
        ReferenceResult expected = models.Reference.Run(models.Case.Batch, options);

        PassResult result = session.Forward(models.Batch, models.Pass() with { Add = [perturbation], HeadWeights = weights });
        session.Backward(new BackwardOptions { Gradients = session.Gradients });

        double heads = expected.ResidualHeadLossSums.Sum(head => weights[head.Key] * head.Value);
        Compare.Losses(expected.LossSum + heads, expected.LabelCount, result);
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

    private static SiteTensor[] Sites(ComparedModel models, int index) => [.. Kinds.Select(kind => models.Site(kind, index))];

    private static Dictionary<ReferenceSite, double[]> Noise(ComparedModel models, IEnumerable<SiteTensor> sites, uint seed) =>
        sites.SelectMany(site => models.FillWithNoise(site, Deviation, seed)).ToDictionary();
}
