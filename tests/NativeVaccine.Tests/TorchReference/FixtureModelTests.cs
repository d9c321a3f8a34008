using System.Text.Json;
using NativeVaccine.TorchReference;

namespace NativeVaccine.Tests.TorchReference;

/// <summary>The reference against what transformers computed, before it judges anyone. Tolerances: the fixtures' own.</summary>
public sealed class FixtureModelTests
{
    private const int SampleWithActivations = 2; // of 33 tokens

    public static TheoryData<string, string, ReferencePrecision> Models()
    {
        var data = new TheoryData<string, string, ReferencePrecision>();
        foreach (ReferencePrecision precision in Enum.GetValues<ReferencePrecision>())
        {
            data.Add("tiny-llama", "tiny-llama", precision);
            data.Add("tiny-llama-linear-rope", "tiny-llama", precision);
            data.Add("tiny-gqa", "tiny-gqa", precision);
            data.Add("tiny-qwen2", "tiny-qwen2", precision);
            data.Add("tiny-mistral", "tiny-mistral", precision);
        }
        return data;
    }

    [Theory]
    [MemberData(nameof(Models))]
    public void LogitsAndLossesAreThoseOfTransformers(string folder, string weights, ReferencePrecision precision)
    {
        using var expected = new ExpectedFile(folder);
        using ReferenceModel model = Load(folder, weights, precision);

        ReferenceResult result = model.Run(expected.Batch);

        for (int i = 0; i < result.Logits.Length; i++)
            Near.Equal($"logits.{i}", expected.Tensors[$"logits.{i}"].Values, result.Logits[i], 1e-4, 1e-4);
        JsonElement batch = expected.Root.GetProperty("batch");
        foreach ((ReferenceSampleLoss actual, JsonElement sample) in result.Samples.Zip(batch.GetProperty("per_sample").EnumerateArray()))
        {
            Assert.Equal(sample.GetProperty("labels").GetInt32(), actual.Labels);
            Near.Equal("loss sum", sample.GetProperty("sum").GetDouble(), actual.Sum, 0, 1e-5);
        }
        Near.Equal("mean loss", batch.GetProperty("mean_loss").GetDouble(), result.MeanLoss, 0, 1e-5);
    }

    [Theory]
    [MemberData(nameof(Models))]
    public void SitesAndTheirGradientsAreThoseOfTransformers(string folder, string weights, ReferencePrecision precision)
    {
        using var expected = new ExpectedFile(folder);
        using ReferenceModel model = Load(folder, weights, precision);

        ReferenceResult result = model.Run(expected.Batch);

        int width = model.Configuration.HiddenSize;
        int first = expected.Batch.Take(SampleWithActivations).Sum(sample => sample.Ids.Length) * width;
        Range rows = first..(first + (expected.Batch[SampleWithActivations].Ids.Length * width));
        JsonElement norms = expected.Root.GetProperty("batch").GetProperty("site_gradient_norms");
        ReferenceSite[] sites = [.. model.Sites.Where(site => site != new ReferenceSite(ReferenceSiteKind.Residual, 0))];
        Assert.Equal(norms.EnumerateObject().Count(), sites.Length);
        foreach (ReferenceSite site in sites)
        {
            string name = NameOf(site);
            Near.Equal(name, expected.Tensors[name].Values, result.Activations[site].AsSpan(rows), 1e-4, 1e-4);
            Near.EqualToLargest(name, expected.Tensors["gradient." + name].Values, result.SiteGradients[site].AsSpan(rows), 1e-4);
            Near.Equal(name, norms.GetProperty(name).GetDouble(), result.SiteGradientNorm(site), 0, 1e-4);
        }
    }

    [Theory]
    [MemberData(nameof(Models))]
    public void ParameterGradientsAreThoseOfTransformers(string folder, string weights, ReferencePrecision precision)
    {
        using var expected = new ExpectedFile(folder);
        using ReferenceModel model = Load(folder, weights, precision);

        ReferenceResult result = model.Run(expected.Batch);

        JsonElement digests = expected.Root.GetProperty("parameter_gradients");
        Assert.Equal(digests.EnumerateObject().Select(digest => digest.Name).Order(), result.Gradients.Keys.Order());
        foreach (JsonProperty digest in digests.EnumerateObject())
        {
            double[] gradient = result.Gradients[digest.Name];
            double norm = digest.Value.GetProperty("l2").GetDouble();
            float[] head = [.. digest.Value.GetProperty("head").EnumerateArray().Select(value => value.GetSingle())];
            Near.Equal(digest.Name, norm, Math.Sqrt(gradient.Sum(value => value * value)), 0, 1e-4);
            Near.Equal(digest.Name, head, gradient.AsSpan(0, head.Length), 1e-4 * gradient.Max(Math.Abs), 0);
            // The sum of n elements that cancel is as exact as their norm, not as itself.
            double sum = digest.Value.GetProperty("sum").GetDouble();
            Near.Equal(digest.Name, sum, gradient.Sum(), 1e-4 * norm * Math.Sqrt(gradient.Length), 0);
        }
    }

    [Theory]
    [MemberData(nameof(Models))]
    public void PaddingChangesNoLoss(string folder, string weights, ReferencePrecision precision)
    {
        using var expected = new ExpectedFile(folder);
        using ReferenceModel model = Load(folder, weights, precision);

        ReferenceSampleLoss padded = model.ForwardPadded(expected.Batch);

        ReferenceResult alone = model.Run(expected.Batch);
        Assert.Equal(alone.LabelCount, padded.Labels);
        Near.Equal("loss sum", alone.LossSum, padded.Sum, 0, precision == ReferencePrecision.Fp64 ? 1e-13 : 1e-5);
    }

    private static ReferenceModel Load(string folder, string weights, ReferencePrecision precision) =>
        new(ReferenceConfiguration.Load(Fixtures.Path(folder)), ReferenceWeights.Load(Fixtures.Path(weights)), null, precision);

    private static string NameOf(ReferenceSite site) => site.Kind switch
    {
        ReferenceSiteKind.AttentionOutput => $"attention_output.{site.Index}",
        ReferenceSiteKind.MlpOutput => $"mlp_output.{site.Index}",
        _ => $"residual.{site.Index}",
    };
}
