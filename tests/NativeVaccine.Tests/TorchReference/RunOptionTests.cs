using NativeVaccine.TorchReference;

namespace NativeVaccine.Tests.TorchReference;

/// <summary>What no fixture shows, by finite differences: perturbations, added gradients, residual heads and dropout masks.</summary>
public sealed class RunOptionTests
{
    private static readonly ReferenceConfiguration Configuration = SmallModel.Configuration;

    [Fact]
    public void EveryParametersGradientIsTheSlopeOfTheObjective()
    {
        using ReferenceModel model = Load();
        ReferenceRunOptions options = Everything(model);
        ReferenceResult result = model.Run(SmallModel.Batch, options);
        ReferenceRunOptions lossOnly = options with { GradientsOf = _ => false };
        foreach (string name in model.ParameterNames.ToArray())
        {
            double[] start = model.Read(name);
            double[] direction = SmallModel.Noise(start.Length, seed: 5);
            double Along(double step)
            {
                model.Write(name, [.. start.Zip(direction, (value, toward) => value + (step * toward))]);
                return Objective(model.Run(SmallModel.Batch, lossOnly), options);
            }
            double slope = Slope(Along);
            model.Write(name, start);
            Near.Equal(name, slope, Dot(result.Gradients[name], direction), 1e-9, 1e-6);
        }
    }

    [Fact]
    public void EverySitesGradientIsTheSlopeAlongItsPerturbation()
    {
        using ReferenceModel model = Load();
        ReferenceRunOptions options = Everything(model);
        ReferenceResult result = model.Run(SmallModel.Batch, options);
        foreach (ReferenceSite site in model.Sites)
        {
            double[] start = options.Perturbations[site];
            double[] direction = SmallModel.Noise(start.Length, seed: 6);
            double Along(double step)
            {
                double[] moved = [.. start.Zip(direction, (value, toward) => value + (step * toward))];
                var perturbations = new Dictionary<ReferenceSite, double[]>(options.Perturbations) { [site] = moved };
                ReferenceResult there = model.Run(SmallModel.Batch, options with { Perturbations = perturbations });
                // What reads the site's own value does not see the perturbation there.
                return Objective(there, options);
            }
            double throughNetwork = Dot(result.SiteGradients[site], direction) - Dot(OwnTerms(model, result, options, site), direction);
            Near.Equal(site.ToString(), Slope(Along), throughNetwork, 1e-9, 1e-6);
        }
    }

    [Fact]
    public void AMaskOfZerosLeavesTheModelWithoutItsAdapter()
    {
        using ReferenceModel adapted = Load();
        using var bare = new ReferenceModel(Configuration, SmallModel.Weights);
        var masks = Masks(adapted).ToDictionary(mask => mask.Key, mask => new double[mask.Value.Length]);

        ReferenceResult masked = adapted.Run(SmallModel.Batch, new ReferenceRunOptions { DropoutMasks = masks });

        Assert.Equal(bare.Run(SmallModel.Batch).Logits, masked.Logits);
        Assert.NotEqual(bare.Run(SmallModel.Batch).Logits, adapted.Run(SmallModel.Batch).Logits);
    }

    [Fact]
    public void ABatchWithoutLabelsHasNeitherLossNorGradients()
    {
        using ReferenceModel model = Load();

        ReferenceResult result = model.Run([new([5], [5]), new([1, 2], [1, -100])]);

        Assert.Equal(0, result.LabelCount);
        Assert.Equal(0.0, result.MeanLoss);
        Assert.All(result.Gradients.Values.Concat(result.SiteGradients.Values).SelectMany(all => all), value => Assert.Equal(0.0, value));
    }

    private static ReferenceModel Load() => new(Configuration, SmallModel.Weights, SmallModel.Lora);

    private static ReferenceRunOptions Everything(ReferenceModel model) => new()
    {
        Perturbations = NoiseAtSites(model, seed: 10),
        AddedGradients = NoiseAtSites(model, seed: 20),
        Heads =
        [
            new(0, 0.5),
            new(1, -0.25, ReferenceLossKind.Teacher),
            new(2, 2),
            new(2, 0.75, ReferenceLossKind.NegativeEntropy, Norms: 2),
        ],
        TeacherLogits = [.. SmallModel.Batch.Select(static (sample, i) => SmallModel.Noise(sample.Ids.Length * Configuration.VocabularySize, 50 + i))],
        DropoutMasks = Masks(model),
    };

    private static Dictionary<ReferenceSite, double[]> NoiseAtSites(ReferenceModel model, int seed) => model.Sites.ToDictionary(
        site => site, site => SmallModel.Noise(SmallModel.Tokens * Configuration.HiddenSize, seed + site.Index));

    private static Dictionary<string, double[]> Masks(ReferenceModel model) =>
        model.LoraNames.Where(name => name.EndsWith('A')).Select(name => name[..^".lora_A".Length]).ToDictionary(
            module => module,
            module =>
            {
                int width = Configuration.ProjectionShape(module[(module.LastIndexOf('.') + 1)..]).Input;
                return SmallModel.Noise(SmallModel.Tokens * width, seed: 30).Select(value => value > 0 ? 2.0 : 0.0).ToArray();
            });

    private static double Objective(ReferenceResult result, ReferenceRunOptions options) =>
        result.MeanLoss
        + options.Heads.Index().Sum(head => head.Item.Weight * result.HeadLossSums[head.Index] / result.LabelCount)
        + options.AddedGradients.Sum(added => Dot(added.Value, result.Activations[added.Key]));

    /// <summary>The gradient of what reads a site itself: the added gradient, and the head at a residual site.</summary>
    private static double[] OwnTerms(ReferenceModel model, ReferenceResult result, ReferenceRunOptions options, ReferenceSite site)
    {
        double[] added = options.AddedGradients[site];
        if (site.Kind != ReferenceSiteKind.Residual)
            return added;
        ReferenceHead[] without = [.. options.Heads.Where(head => head.Residual != site.Index)];
        double[] headless = model.Run(SmallModel.Batch, options with { Heads = without }).SiteGradients[site];
        return [.. result.SiteGradients[site].Zip(headless, (with, rest) => with - rest).Zip(added, (head, own) => head + own)];
    }

    /// <summary>Five points, so that the error is of the fourth order in the step.</summary>
    private static double Slope(Func<double, double> along)
    {
        const double step = 1e-4;
        return ((8 * (along(step) - along(-step))) - (along(2 * step) - along(-2 * step))) / (12 * step);
    }

    private static double Dot(double[] left, double[] right) => left.Zip(right, (a, b) => a * b).Sum();
}
