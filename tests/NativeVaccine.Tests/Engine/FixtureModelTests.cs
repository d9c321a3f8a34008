using System.Text.Json;
using NativeVaccine.Data;
using NativeVaccine.Engine;
using NativeVaccine.Models;
using NativeVaccine.Tests.TorchReference;
using Xunit.Abstractions;
using static NativeVaccine.Tests.Engine.FixtureSession;

namespace NativeVaccine.Tests.Engine;

/// <summary>The engine against what transformers computed. Tolerances: the fixtures' own, see <see cref="Closeness"/> for bf16.</summary>
public sealed class FixtureModelTests(ITestOutputHelper output)
{
    private const int SampleWithActivations = 2; // of 33 tokens

    public static TheoryData<string> Models() => FixtureSession.Models();

    [Theory]
    [MemberData(nameof(Models))]
    public void LogitsAndLossesAreThoseOfTransformers(string folder)
    {
        using var expected = new ExpectedFile(folder);
        using var model = new FixtureSession(folder);
        Batch batch = BatchOf(expected);
        var closeness = new Closeness(folder, output);

        PassResult result = model.Session.Forward(batch);

        JsonElement numbers = expected.Root.GetProperty("batch");
        closeness.OfMeanLoss(numbers.GetProperty("mean_loss").GetDouble(), result.MeanLoss);
        float[] losses = model.Session.ReadLosses();
        Assert.Equal(result.LabelCount, losses.Length);
        int row = 0;
        foreach ((JsonElement sample, int labels) in numbers.GetProperty("per_sample").EnumerateArray().Zip(batch.LabelCounts.ToArray()))
        {
            Assert.Equal(sample.GetProperty("labels").GetInt32(), labels);
            double sum = losses.Skip(row).Take(labels).Sum(static loss => (double)loss);
            closeness.OfLossSum(sample.GetProperty("sum").GetDouble(), sum, labels);
            row += labels;
        }
        for (int sample = 0; sample < batch.SampleCount; sample++)
        {
            int first = batch.Offsets[sample];
            float[] logits = model.Logits(first, batch.Offsets[sample + 1] - first);
            closeness.OfLogits($"logits.{sample}", expected.Tensors[$"logits.{sample}"].Values, Doubles(logits));
        }
    }

    [Theory]
    [MemberData(nameof(Models))]
    public void SitesAndTheirGradientsAreThoseOfTransformers(string folder)
    {
        using var expected = new ExpectedFile(folder);
        var budget = new SiteBudget(2);
        SessionOptions options = Options with { AttentionSites = budget, MlpSites = budget, ResidualSites = budget };
        using var model = new FixtureSession(folder, options);
        SiteKind[] kinds = Enum.GetValues<SiteKind>();
        SiteTensor[] activations = [.. kinds.Select(kind => Whole(model.Session, kind, 0))];
        SiteTensor[] gradients = [.. kinds.Select(kind => Whole(model.Session, kind, 1))];
        Batch batch = BatchOf(expected);

        model.Session.Forward(batch, new ForwardOptions { Record = activations });
        SiteNorms streamed = model.Session.Backward(new BackwardOptions { Read = gradients, NormsOf = SiteKind.AttentionOutput })!;

        int width = model.Session.Configuration.HiddenSize;
        Range rows = (batch.Offsets[SampleWithActivations] * width)..(batch.Offsets[SampleWithActivations + 1] * width);
        JsonElement norms = expected.Root.GetProperty("batch").GetProperty("site_gradient_norms");
        int compared = 0;
        foreach (SiteKind kind in kinds)
        {
            SiteNorms found = gradients[(int)kind].Norms();
            foreach (int layer in gradients[(int)kind].Layers.Where(layer => kind != SiteKind.Residual || layer > 0))
            {
                string name = NameOf(kind, layer);
                double[] activation = Doubles(activations[(int)kind].Read(layer)[rows]);
                double[] gradient = Doubles(gradients[(int)kind].Read(layer)[rows]);
                Near.Equal(name, expected.Tensors[name].Values, activation, 1e-4, 1e-4);
                Near.EqualToLargest(name, expected.Tensors["gradient." + name].Values, gradient, 1e-4);
                Near.Equal(name, norms.GetProperty(name).GetDouble(), found[layer], 0, 1e-4);
                if (kind == SiteKind.AttentionOutput) Near.Equal(name, found[layer], streamed[layer], 0, 1e-12);
                compared++;
            }
        }
        Assert.Equal(norms.EnumerateObject().Count(), compared);
    }

    [Theory]
    [MemberData(nameof(Models))]
    public void ParameterGradientsAreThoseOfTransformers(string folder)
    {
        using var expected = new ExpectedFile(folder);
        using var model = new FixtureSession(folder, FixtureSession.Options with { Full = true });

        model.Session.Forward(BatchOf(expected));
        model.Session.Backward(new BackwardOptions { Gradients = model.Session.Gradients });

        JsonElement digests = expected.Root.GetProperty("parameter_gradients");
        StoredWeight[] weights = [.. StoredWeight.Of(model.Session.Configuration)];
        Assert.Equal(digests.EnumerateObject().Select(static digest => digest.Name).Order(), weights.Select(static weight => weight.Name).Order());
        var gradients = model.Session.TrainableTensors.ToDictionary(static tensor => tensor.Name, model.Session.Gradients.Read);
        foreach (StoredWeight tensor in weights)
        {
            double[] gradient = Doubles([.. tensor.Parts.SelectMany(part => gradients[part.Name])]);
            JsonElement digest = digests.GetProperty(tensor.Name);
            double norm = digest.GetProperty("l2").GetDouble();
            float[] head = [.. digest.GetProperty("head").EnumerateArray().Select(value => value.GetSingle())];
            Near.Equal(tensor.Name, norm, Math.Sqrt(gradient.Sum(value => value * value)), 0, 1e-4);
            Near.Equal(tensor.Name, head, gradient.AsSpan(0, head.Length), 1e-4 * gradient.Max(Math.Abs), 0);
            // The sum of n elements that cancel is as exact as their norm, not as itself.
            Near.Equal(tensor.Name, digest.GetProperty("sum").GetDouble(), gradient.Sum(), 1e-4 * norm * Math.Sqrt(gradient.Length), 0);
        }
    }

    [Theory]
    [MemberData(nameof(Models))]
    public void RecomputationAndThreadsChangeNoBit(string folder)
    {
        int layers = ModelConfiguration.Load(Fixtures.Path(folder)).LayerCount;
        (double loss, float[] gradients) = LossAndGradients(folder, recomputedLayers: 0, threads: 1);

        (double recomputedLoss, float[] recomputed) = LossAndGradients(folder, layers, threads: 1);
        Assert.Equal(loss, recomputedLoss);
        Assert.Equal(gradients, recomputed);
        if (TestDevice.IsGpu) return; // it has no threads to choose
        (double threadedLoss, float[] threaded) = LossAndGradients(folder, recomputedLayers: 0, threads: 2);
        Assert.Equal(loss, threadedLoss);
        Assert.Equal(gradients, threaded);
    }

    [Fact]
    public void ASampleAloneHasTheLossThatItHasInTheBatch()
    {
        using var expected = new ExpectedFile("tiny-mistral");
        using var model = new FixtureSession("tiny-mistral");
        Batch batch = BatchOf(expected);
        model.Session.Forward(batch);
        double[] packed = Doubles(model.Session.ReadLosses());

        model.Session.Forward(new Batch([new Sample(expected.Batch[3].Ids, expected.Batch[3].Labels)]));

        double[] losses = Doubles(model.Session.ReadLosses());
        Near.Equal("losses", [.. packed[^losses.Length..].Select(static loss => (float)loss)], losses, 0, 1e-5);
    }

    private static (double Loss, float[] Gradients) LossAndGradients(string folder, int recomputedLayers, int threads)
    {
        using var expected = new ExpectedFile(folder);
        SessionOptions options = Options with { Full = true, RecomputedLayers = recomputedLayers };
        using var model = new FixtureSession(folder, options, threads);
        Assert.Equal(recomputedLayers, model.Session.Plan.RecomputedLayers);
        if (!TestDevice.IsGpu) Assert.Equal(threads, model.Device.Info.Threads);
        PassResult result = model.Session.Forward(BatchOf(expected));
        model.Session.Backward(new BackwardOptions { Gradients = model.Session.Gradients });
        return (result.LossSum.Value, Read(model.Session.Gradients));
    }

    private static SiteTensor Whole(Session session, SiteKind kind, int index)
    {
        SiteTensor site = session.Site(kind, index);
        site.Select(LayerSet.All(session.LayerCount + (kind == SiteKind.Residual ? 1 : 0)));
        return site;
    }

    private static string NameOf(SiteKind kind, int layer) => kind switch
    {
        SiteKind.AttentionOutput => $"attention_output.{layer}",
        SiteKind.MlpOutput => $"mlp_output.{layer}",
        _ => $"residual.{layer}",
    };
}
