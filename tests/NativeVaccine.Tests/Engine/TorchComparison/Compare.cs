using NativeVaccine.Engine;
using NativeVaccine.Tests.TorchReference;
using NativeVaccine.TorchReference;

namespace NativeVaccine.Tests.Engine.TorchComparison;

/// <summary>
/// Comparisons of the float32 engine with the float64 reference, and all tolerances there are: each five to ten times the largest
/// difference seen over all tests of this folder (on AVX-512), which its comment gives. NaN fails them.
/// </summary>
internal static class Compare
{
    /// <summary>Of a loss, relative. Seen: 1.9e-7.</summary>
    private const double Loss = 2e-6;

    /// <summary>Of an activation, as a share of the tensor's largest. Seen: 2.4e-6.</summary>
    private const double Activation = 2e-5;

    /// <summary>Of a gradient's element, as a share of the tensor's largest. Seen: 9.6e-6.</summary>
    private const double Gradient = 5e-5;

    /// <summary>Of a norm, relative. Seen: 2.1e-6.</summary>
    private const double Norm = 2e-5;

    /// <summary>Of what three steps of AdamW changed in a tensor: the difference's norm as a share of the change's. Seen: 7.3e-5.</summary>
    private const double Update = 5e-4;

    /// <summary>The weighted sum of losses, and the number of labels.</summary>
    public static void Losses(double expectedSum, int expectedLabels, PassResult actual)
    {
        Assert.Equal(expectedLabels, actual.LabelCount);
        Near.Equal("loss sum", expectedSum, actual.LossSum.Value, 0, Loss);
    }

    /// <summary>A mean loss, which may be near 0 where a loss is a difference.</summary>
    public static void MeanLoss(string what, double expected, double actual) => Near.Equal(what, expected, actual, Loss, Loss);

    /// <summary>A norm.</summary>
    public static void Norms(string what, double expected, double actual) => Near.Equal(what, expected, actual, 0, Norm);

    /// <summary>The recorded activations of every layer that a site tensor holds.</summary>
    public static void Activations(ReferenceResult expected, SiteTensor actual)
    {
        foreach (int layer in actual.Layers)
        {
            ReferenceSite site = ComparedModel.SiteOf(actual.Kind, layer);
            ToLargest($"activation of {site}", expected.Activations[site], actual.Read(layer), Activation);
        }
    }

    /// <summary>The gradients at every layer that a site tensor holds, and their norms.</summary>
    /// <param name="expected">The reference's run.</param>
    /// <param name="added">What the run added at sites: a reader there does not see it, but the reference counts it in.</param>
    /// <param name="actual">The engine's.</param>
    public static void SiteGradients(ReferenceResult expected, IReadOnlyDictionary<ReferenceSite, double[]> added, SiteTensor actual)
    {
        SiteNorms norms = actual.Norms();
        double total = 0;
        foreach (int layer in actual.Layers)
        {
            ReferenceSite site = ComparedModel.SiteOf(actual.Kind, layer);
            double[] gradient = added.TryGetValue(site, out double[]? own)
                ? [.. expected.SiteGradients[site].Zip(own, static (sum, part) => sum - part)]
                : expected.SiteGradients[site];
            ToLargest($"gradient at {site}", gradient, actual.Read(layer), Gradient);
            double norm = Math.Sqrt(gradient.Sum(static value => value * value));
            Norms($"norm at {site}", norm, norms[layer]);
            total += norm * norm;
        }
        Norms($"norm over {actual.Kind}", Math.Sqrt(total), norms.Total);
    }

    /// <summary>The gradient of every trainable tensor.</summary>
    public static void ParameterGradients(ReferenceResult expected, Session actual)
    {
        Assert.Equal(expected.Gradients.Keys.Order(), actual.TrainableTensors.Select(ComparedModel.NameOf).Order());
        foreach (ModelTensor tensor in actual.TrainableTensors)
            ToLargest(tensor.Name, expected.Gradients[ComparedModel.NameOf(tensor)], actual.Gradients.Read(tensor), Gradient);
    }

    /// <summary>What training changed in a tensor.</summary>
    public static void Change(string what, ReadOnlySpan<float> start, double[] expected, ReadOnlySpan<float> actual)
    {
        (double difference, double change) = (0, 0);
        for (int i = 0; i < expected.Length; i++)
        {
            difference += Math.Pow(expected[i] - actual[i], 2);
            change += Math.Pow(expected[i] - start[i], 2);
        }
        Near.Equal(what, 0, Math.Sqrt(difference), Update * Math.Sqrt(change), 0);
    }

    private static void ToLargest(string what, double[] expected, float[] actual, double share)
    {
        Assert.True(expected.Length == actual.Length, $"{what}: {actual.Length} values, expected {expected.Length}");
        double largest = expected.Max(Math.Abs);
        for (int i = 0; i < expected.Length; i++)
        {
            // Near's message costs more than the comparison; a NaN is not within anything.
            bool within = Math.Abs(expected[i] - actual[i]) <= share * largest;
            if (!within) Near.Equal($"{what}[{i}]", expected[i], actual[i], share * largest, 0);
        }
    }
}
