using NativeVaccine.Engine;
using NativeVaccine.Tests.TorchReference;
using static NativeVaccine.Tests.Engine.FixtureSession;

namespace NativeVaccine.Tests.Engine;

/// <summary>The verbs on site tensors against plain loops, and what they do to a pass.</summary>
public sealed class SiteTensorTests
{
    private static readonly SessionOptions Options = FixtureSession.Options with
    {
        AttentionSites = new SiteBudget(2),
        ResidualSites = new SiteBudget(1),
    };

    [Fact]
    public void VerbsComputeWhatTheySay()
    {
        using var model = new FixtureSession("micro-llama", Options);
        (SiteTensor x, SiteTensor y) = (model.Session.Site(SiteKind.AttentionOutput), model.Session.Site(SiteKind.AttentionOutput, 1));
        x.Select(LayerSet.Of(0, 2, 3));
        y.Select(LayerSet.Of(2, 3));
        x.Fill(2, seed: 1, step: 0, tokens: 5);
        y.Fill(1, seed: 2, step: 0, tokens: 5);
        double[][] a = [.. Enumerable.Range(0, 4).Select(layer => x.Layers.Contains(layer) ? Doubles(x.Read(layer)) : [])];
        double[][] b = [.. Enumerable.Range(0, 4).Select(layer => y.Layers.Contains(layer) ? Doubles(y.Read(layer)) : [])];

        Near.Equal("dot", Dot(a[2], b[2]) + Dot(a[3], b[3]), x.Dot(y).Value, 0, 1e-9);
        SiteNorms norms = x.Norms();
        foreach (int layer in x.Layers) Near.Equal("norm", Math.Sqrt(Dot(a[layer], a[layer])), norms[layer], 0, 1e-9);
        Near.Equal("total", Math.Sqrt(x.Layers.Sum(layer => Dot(a[layer], a[layer]))), norms.Total, 0, 1e-9);
        Assert.Throws<ArgumentOutOfRangeException>(() => norms[1]);

        x.Add(-3, y);
        x.Scale(0.5f);
        Near.Equal("axpy", [.. a[2].Zip(b[2], static (p, q) => (float)((p - (3 * q)) / 2))], Doubles(x.Read(2)), 1e-6, 1e-6);
        Near.Equal("axpy where y holds nothing", [.. a[0].Select(static p => (float)(p / 2))], Doubles(x.Read(0)), 0, 0);

        y.ScaleToNorm(3, y.Norms());
        Near.Equal("norm after scaling", 3, y.Norms().Total, 0, 1e-6);
        y.Write(3, x.Read(3));
        Assert.Equal(x.Read(3), y.Read(3));
        y.Zero();
        Assert.Equal(0, y.Norms().Total);
        y.Fill(1, seed: 2, step: 0, tokens: 5);
        y.Zero(tokens: 7);
        Assert.Equal((7, 0.0), (y.TokenCount, y.Norms().Total));
        Assert.All(y.Read(2), static value => Assert.Equal(0, value));
    }

    [Fact]
    public void NoiseIsNormalAndFollowsSeedStepAndLayer()
    {
        using var model = new FixtureSession("micro-llama", Options);
        SiteTensor site = model.Session.Site(SiteKind.AttentionOutput);
        site.Select(LayerSet.Of(1, 2));
        site.Fill(0.5f, seed: 9, step: 4, tokens: 100);
        float[] noise = site.Read(1);

        Assert.Equal(100 * model.Session.Configuration.HiddenSize, noise.Length);
        Near.Equal("mean", 0, noise.Average(), 0.03, 0);
        Near.Equal("deviation", 0.5, Math.Sqrt(noise.Average(static value => (double)value * value)), 0, 0.05);
        Assert.NotEqual(noise, site.Read(2));
        site.Fill(0.5f, seed: 9, step: 5, tokens: 100);
        Assert.NotEqual(noise, site.Read(1));
        site.Select(LayerSet.Of(1));
        site.Fill(0.5f, seed: 9, step: 4, tokens: 100);
        Assert.Equal(noise, site.Read(1));
    }

    [Fact]
    public void WhatIsAddedAlongTheGradientRaisesTheLossByItsNorm()
    {
        using var expected = new ExpectedFile("tiny-gqa");
        using var model = new FixtureSession("tiny-gqa", Options);
        Batch batch = FixtureSession.BatchOf(expected);
        SiteTensor perturbation = model.Session.Site(SiteKind.AttentionOutput);
        perturbation.Select(LayerSet.Of(1, 3));
        double before = model.Session.Forward(batch).MeanLoss;
        model.Session.Backward(new BackwardOptions { Read = [perturbation] });
        double norm = perturbation.Norms().Total;
        const float Intensity = 0.02f;

        perturbation.ScaleToNorm(Intensity, perturbation.Norms());
        double after = model.Session.Forward(batch, new ForwardOptions { Add = [perturbation] }).MeanLoss;

        // To first order the loss rises by intensity times the norm of the gradient.
        Assert.True(norm > 0);
        Near.Equal("rise", Intensity * norm, after - before, 0, 0.05);
        Assert.Equal(before, model.Session.Forward(batch).MeanLoss);
    }

    [Fact]
    public void SitesOfOtherKindsOrSessionsAreRefused()
    {
        using var model = new FixtureSession("micro-llama", Options);
        using var other = new FixtureSession("micro-llama", Options);
        SiteTensor attention = model.Session.Site(SiteKind.AttentionOutput);

        Assert.Throws<ArgumentException>(() => attention.Add(1, model.Session.Site(SiteKind.Residual)));
        Assert.Throws<ArgumentException>(() => attention.Add(1, other.Session.Site(SiteKind.AttentionOutput)));
        Assert.Throws<ArgumentException>(() => attention.ScaleToNorm(1, other.Session.Site(SiteKind.AttentionOutput).Norms()));
        Assert.Throws<ArgumentOutOfRangeException>(() => attention.Select(LayerSet.Of(4)));
        Assert.Throws<ArgumentOutOfRangeException>(() => model.Session.Site(SiteKind.MlpOutput));
        Assert.Throws<EngineException>(() => attention.Read(0));
    }

    private static double Dot(double[] a, double[] b) => a.Zip(b, static (p, q) => p * q).Sum();
}
