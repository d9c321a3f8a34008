using NativeVaccine.Data;
using NativeVaccine.Engine;
using NativeVaccine.Methods;
using NativeVaccine.Tests.TorchReference;

namespace NativeVaccine.Tests.Engine;

/// <summary>Site tensors as samples: row masks, products of samples and their combinations, and the kernel that is made of them.</summary>
public sealed class SampleKernelTests
{
    private static readonly int[] Lengths = [3, 7, 5];
    private static readonly bool[] Kept = [.. Enumerable.Range(0, 15).Select(static row => row % 4 != 1)];

    private static readonly SessionOptions Options = FixtureSession.Options with
    {
        MlpSites = new SiteBudget(3),
    };

    [Fact]
    public void MaskedRowsAreZeroInEveryLayer()
    {
        using var model = new FixtureSession("micro-llama", Options);
        (SiteTensor x, _, _) = Sites(model.Session);
        float[] before = x.Read(2);

        x.MaskRows(Kept);

        float[] expected = [.. before.Select((value, i) => Kept[i / (before.Length / 15)] ? value : 0)];
        Assert.Equal(expected, x.Read(2));
        Assert.All(x.Read(1).Chunk(before.Length / 15).Index(), row => Assert.Equal(Kept[row.Index], row.Item.Any(static v => v != 0)));
        Assert.Throws<ArgumentException>(() => x.MaskRows([true]));
    }

    [Fact]
    public void ProductsAndCombinationsAreThoseOfPaddedSamples()
    {
        using var model = new FixtureSession("micro-llama", Options);
        (SiteTensor x, SiteTensor y, SiteTensor sum) = Sites(model.Session);
        y.Select(LayerSet.Of(0, 1, 2));
        y.Fill(1, seed: 2, step: 0, tokens: 15);
        double[,,] gram = x.Gram(y);
        Assert.Equal((2, 3, 3), (gram.GetLength(0), gram.GetLength(1), gram.GetLength(2)));

        foreach ((int place, int layer) in new[] { 1, 2 }.Index())
        {
            (double[][] p, double[][] q) = (Padded(x.Read(layer)), Padded(y.Read(layer)));
            for (int a = 0; a < 3; a++)
            {
                for (int b = 0; b < 3; b++) Near.Equal($"gram {layer} {a} {b}", Dot(p[a], q[b]), gram[place, a, b], 1e-9, 1e-12);
            }
        }

        float[] before = sum.Read(2);
        sum.AddCombination(gram, y);
        double[][] samples = Padded(y.Read(2)), expected = Padded(before);
        for (int a = 0; a < 3; a++)
        {
            for (int b = 0; b < 3; b++)
            {
                for (int i = 0; i < expected[a].Length; i++) expected[a][i] += gram[1, a, b] * samples[b][i];
            }
        }
        Near.Equal("combination", Packed(expected), FixtureSession.Doubles(sum.Read(2)), 1e-6, 1e-6);
    }

    /// <summary>The squared maximum mean discrepancy of RepNoise (arXiv 2405.14577): its value, and its gradient by differences.</summary>
    [Fact]
    public void TheGradientOfMaximumMeanDiscrepancyIsItsSlope()
    {
        using var model = new FixtureSession("micro-llama", Options);
        (SiteTensor x, SiteTensor noise, SiteTensor gradient) = Sites(model.Session);
        x.MaskRows(Kept);
        noise.MaskRows(Kept);
        gradient.Zero();
        double[] values = RepNoise.Discrepancy(x, noise, gradient, factor: 1);

        foreach ((int place, int layer) in new[] { 1, 2 }.Index())
        {
            (double[][] at, double[][] y) = (Padded(x.Read(layer)), Padded(noise.Read(layer)));
            double[][] slope = Padded(gradient.Read(layer));
            double width = Width(at, y);
            Near.Equal("value", Reference(at, y, width), values[place], 0, 1e-9);
            var random = new Random(layer);
            double[][] direction = Padded([.. Enumerable.Range(0, 15 * Columns(x)).Select(_ => random.NextSingle() - 0.5f)]);
            const double Step = 1e-5;
            double above = Reference(Moved(at, direction, Step), y, width), below = Reference(Moved(at, direction, -Step), y, width);
            double expected = Enumerable.Range(0, 3).Sum(a => Dot(slope[a], direction[a]));
            Near.Equal("slope", (above - below) / (2 * Step), expected, 0, 1e-5);
        }
    }

    [Fact]
    public void OtherRowsSizesAndTensorsAreRefused()
    {
        using var model = new FixtureSession("micro-llama", Options);
        (SiteTensor x, SiteTensor y, SiteTensor sum) = Sites(model.Session);

        Assert.Contains("same site tensor", Refused(() => x.AddCombination(new double[2, 3, 3], x)), StringComparison.Ordinal);
        Assert.Contains("count is 12, expected 18", Refused(() => x.AddCombination(new double[2, 3, 2], y)), StringComparison.Ordinal);
        y.Fill(1, seed: 1, step: 1, tokens: 14);
        Assert.Contains("15 and 14 tokens", Refused(() => x.Gram(y)), StringComparison.Ordinal);
        sum.Fill(1, seed: 1, step: 1, tokens: 14);
        Assert.Contains("14 tokens, expected 15", Refused(() => y.Gram(sum)), StringComparison.Ordinal);

        static string Refused(Action act) => Assert.ThrowsAny<Exception>(act).Message;
    }

    private static double Kernel(double square, double width) =>
        Enumerable.Range(0, 5).Sum(q => Math.Exp(-square / (width * (1 << q))));

    private static double Reference(double[][] x, double[][] y, double width) =>
        (Mean(x, x, width) + Mean(y, y, width)) - (2 * Mean(x, y, width));

    private static double Mean(double[][] x, double[][] y, double width) =>
        x.Average(a => y.Average(b => Kernel(Distance(a, b), width)));

    private static double Width(double[][] x, double[][] y)
    {
        double[][] all = [.. x, .. y];
        return all.Sum(a => all.Sum(b => Distance(a, b))) / ((all.Length * all.Length) - all.Length) / 4;
    }

    private static double Distance(double[] a, double[] b) => a.Zip(b, static (p, q) => (p - q) * (p - q)).Sum();

    private static double Dot(double[] a, double[] b) => a.Zip(b, static (p, q) => p * q).Sum();

    private static double[][] Moved(double[][] at, double[][] direction, double step) =>
        [.. at.Zip(direction, (sample, way) => sample.Zip(way, (p, q) => p + (step * q)).ToArray())];

    private static int Columns(SiteTensor site) => site.Read(site.Layers.Lowest).Length / 15;

    /// <summary>Each sample as a vector of the longest one's size.</summary>
    private static double[][] Padded(float[] rows)
    {
        int columns = rows.Length / Lengths.Sum(), first = 0;
        double[][] samples = new double[Lengths.Length][];
        foreach ((int s, int length) in Lengths.Index())
        {
            samples[s] = new double[Lengths.Max() * columns];
            for (int i = 0; i < length * columns; i++) samples[s][i] = rows[(first * columns) + i];
            first += length;
        }
        return samples;
    }

    private static float[] Packed(double[][] samples)
    {
        int columns = samples[0].Length / Lengths.Max();
        IEnumerable<double> rows = samples.Index().SelectMany(sample => sample.Item.Take(Lengths[sample.Index] * columns));
        return [.. rows.Select(static value => (float)value)];
    }

    /// <summary>What a forward pass over samples of unequal lengths recorded in two layers, noise beside it, and a third tensor.</summary>
    private static (SiteTensor Recorded, SiteTensor Noise, SiteTensor Other) Sites(Session session)
    {
        SiteTensor[] sites = [.. Enumerable.Range(0, 3).Select(index => session.Site(SiteKind.MlpOutput, index))];
        foreach (SiteTensor site in sites) site.Select(LayerSet.Of(1, 2));
        Sample[] samples = [.. Lengths.Select(static length =>
            new Sample([.. Enumerable.Range(length, length)], [.. Enumerable.Repeat(Sample.IgnoredLabel, length)]))];
        session.Forward(new Batch(samples), new ForwardOptions { Record = [sites[0]] });
        sites[1].Fill(0.1f, seed: 3, step: 0, tokens: 15);
        sites[2].Fill(1, seed: 4, step: 0, tokens: 15);
        return (sites[0], sites[1], sites[2]);
    }
}
