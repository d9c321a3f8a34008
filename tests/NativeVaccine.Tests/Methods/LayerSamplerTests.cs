using NativeVaccine.Engine;
using NativeVaccine.Methods;
using NativeVaccine.Numerics;

namespace NativeVaccine.Tests.Methods;

public sealed class LayerSamplerTests
{
    [Fact]
    public void ProbabilitiesAreSharesOfTheSumOfNorms()
    {
        Assert.Equal([0.5, 0.125, 0.375], LayerSampler.Probabilities([4, 1, 3]));
    }

    [Fact]
    public void AChoiceIsAFunctionOfSeedAndStep()
    {
        double[] probabilities = [0.1, 0.2, 0.3, 0.15, 0.05, 0.2];
        var choices = new HashSet<LayerSet>();
        for (int step = 0; step < 50; step++)
        {
            LayerSampler.Choice choice = LayerSampler.Sample(probabilities, 3, 7, step);
            Assert.False(choice.Uniform);
            Assert.Equal(3, choice.Layers.Count);
            Assert.Equal(choice.Layers, LayerSampler.Sample(probabilities, 3, 7, step).Layers);
            choices.Add(choice.Layers);
        }
        Assert.True(choices.Count > 5, $"{choices.Count} different choices in 50 steps");
        Assert.NotEqual(
            Enumerable.Range(0, 20).Select(step => LayerSampler.Sample(probabilities, 3, 7, step).Layers),
            Enumerable.Range(0, 20).Select(step => LayerSampler.Sample(probabilities, 3, 8, step).Layers));
    }

    [Fact]
    public void ALayerThatPullsHarderIsChosenMoreOften()
    {
        const int Draws = 4000;
        double[] probabilities = [0.6, 0.3, 0.1];
        int[] counts = new int[3];
        for (int step = 0; step < Draws; step++)
        {
            foreach (int layer in LayerSampler.Sample(probabilities, 2, 1, step).Layers) counts[layer]++;
        }

        // Chance that a layer is among two successive draws: p_i + sum over j of p_j p_i / (1 - p_j). Bounds: four standard deviations.
        for (int i = 0; i < 3; i++)
        {
            double second = probabilities.Where((_, j) => j != i).Sum(other => other * probabilities[i] / (1 - other));
            double chance = probabilities[i] + second;
            double deviation = Math.Sqrt(chance * (1 - chance) / Draws);
            Assert.InRange(counts[i] / (double)Draws, chance - (4 * deviation), chance + (4 * deviation));
        }
    }

    [Theory]
    [InlineData(new[] { 1.0, 0, 0, 0 })]
    [InlineData(new[] { double.NaN, 1, 1, 1 })]
    public void UnusableProbabilitiesMakeAllLayersEquallyLikely(double[] probabilities)
    {
        LayerSampler.Choice choice = LayerSampler.Sample(probabilities, 2, 1, 0);

        Assert.True(choice.Uniform);
        Assert.Equal(2, choice.Layers.Count);
    }

    [Fact]
    public void MoreLayersThanThereAreIsRefused()
    {
        InputException exception = Assert.Throws<InputException>(() => LayerSampler.Sample([0.5, 0.5], 3, 1, 0));

        Assert.Equal("cannot draw 3 of 2 layers: expected a number from 1 to 2", exception.Message);
    }

    private const int Draws = 30_000;

    /// <summary>The chance of each pair, by hand: first i, then j from what is left, or the other way round.</summary>
    [Fact]
    public void PairsComeAsOftenAsSuccessiveDrawsSay()
    {
        double[] weights = [0.5, 0.3, 0.2];
        Dictionary<string, double> shares = Shares(weights, 2);
        Assert.Equal(3, shares.Count);
        foreach ((int i, int j) in new[] { (0, 1), (0, 2), (1, 2) })
        {
            double expected = (weights[i] * weights[j] / (1 - weights[i])) + (weights[j] * weights[i] / (1 - weights[j]));
            Assert.InRange(shares[$"{i},{j}"], expected - 0.015, expected + 0.015);
        }
    }

    [Fact]
    public void WeightsNeedNotSumToOne() => Assert.InRange(Shares([300, 100], 1)["0"], 0.735, 0.765);

    [Fact]
    public void NothingWithoutWeightIsDrawn()
    {
        Dictionary<string, double> shares = Shares([0, 1e-12, 0, 5, 0], 2);
        Assert.Equal(["1,3"], shares.Keys);
    }

    [Fact]
    public void AllOfThemIsAllOfThem()
    {
        LayerSampler.Choice choice = LayerSampler.Sample([1, 2, 3, 4], 4, new PhiloxStream(1, 1, 1));
        Assert.Equal([0, 1, 2, 3], choice.Layers);
        Assert.False(choice.Uniform);
    }

    [Theory]
    [InlineData(double.NaN, 1, 1)]
    [InlineData(0, 0, 1)]
    [InlineData(double.PositiveInfinity, 1, 1)]
    [InlineData(-1, -1, 1)]
    public void UnusableWeightsGiveUniformDraws(double a, double b, double c)
    {
        Assert.True(LayerSampler.Sample([a, b, c], 2, new PhiloxStream(1, 1, 1)).Uniform);
        Dictionary<string, double> shares = Shares([a, b, c], 2);
        Assert.Equal(3, shares.Count);
        Assert.All(shares.Values, share => Assert.InRange(share, 0.318, 0.348));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(4)]
    public void RefusesImpossibleNumbers(int count) =>
        Assert.Throws<InputException>(() => LayerSampler.Sample([1, 1, 1], count, new PhiloxStream(1, 1, 1)));

    /// <summary>One layer at a time: its chance is its weight's share. The bounds are four standard deviations.</summary>
    [Theory]
    [InlineData(LayerSampling.Gradient, new[] { 0.1, 0.2, 0.3, 0.25, 0.15 })]
    [InlineData(LayerSampling.Uniform, new[] { 0.2, 0.2, 0.2, 0.2, 0.2 })]
    [InlineData(LayerSampling.Inverse, new[] { 30 / 87.0, 15 / 87.0, 10 / 87.0, 12 / 87.0, 20 / 87.0 })]
    [InlineData(LayerSampling.Largest, new[] { 0.0, 0, 1, 0, 0 })]
    [InlineData(LayerSampling.Upper, new[] { 0, 0, 0, 0.625, 0.375 })]
    public void EachWayOfSamplingGivesALayerItsChance(LayerSampling sampling, double[] chances)
    {
        double[] probabilities = [0.1, 0.2, 0.3, 0.25, 0.15];
        Dictionary<string, double> shares = Shares(step => LayerSampler.Choose(sampling, probabilities, 1, 11, step));
        foreach ((int layer, double chance) in chances.Index())
        {
            double deviation = Math.Sqrt(chance * (1 - chance) / Draws);
            Assert.InRange(shares.GetValueOrDefault($"{layer}"), chance - (4 * deviation) - 1e-9, chance + (4 * deviation) + 1e-9);
        }
    }

    [Fact]
    public void SamplingByTheGradientDrawsWhatItAlwaysDrew()
    {
        double[] probabilities = [0.1, 0.2, 0.3, 0.15, 0.05, 0.2];
        for (int step = 0; step < 50; step++)
        {
            Assert.Equal(
                LayerSampler.Sample(probabilities, 3, 7, step).Layers,
                LayerSampler.Choose(LayerSampling.Gradient, probabilities, 3, 7, step).Layers);
        }
    }

    [Theory]
    [InlineData(LayerSampling.Largest, new[] { 0.1, 0.3, 0.1, 0.3, 0.2 }, 3, new[] { 1, 3, 4 })]
    [InlineData(LayerSampling.Largest, new[] { 0.2, 0.2, 0.2, 0.2, 0.2 }, 2, new[] { 0, 1 })] // of equal ones the lower
    [InlineData(LayerSampling.Upper, new[] { 0.9, 0.02, 0.02, 0.03, 0.03 }, 2, new[] { 3, 4 })] // 2 of 5 are at least 2.5
    [InlineData(LayerSampling.Upper, new[] { 0.9, 0.02, 0.05, 0.03 }, 2, new[] { 2, 3 })]
    [InlineData(LayerSampling.Upper, new[] { 1.0, 0, 0, 0 }, 2, new[] { 2, 3 })] // unusable, and among the upper ones all the same
    public void AChoiceWithoutChance(LayerSampling sampling, double[] probabilities, int count, int[] expected)
    {
        for (int step = 0; step < 20; step++)
            Assert.Equal(expected, LayerSampler.Choose(sampling, probabilities, count, 7, step).Layers);
    }

    [Theory]
    [InlineData(LayerSampling.Gradient, 0.0, true)]
    [InlineData(LayerSampling.Inverse, 0.0, true)] // 1 / 0
    [InlineData(LayerSampling.Largest, 0.0, true)]
    [InlineData(LayerSampling.Upper, 0.0, true)]
    [InlineData(LayerSampling.Uniform, 0.0, false)]
    [InlineData(LayerSampling.Inverse, double.NaN, true)]
    [InlineData(LayerSampling.Largest, double.NaN, true)]
    [InlineData(LayerSampling.Uniform, double.NaN, false)] // not looked at
    public void WhereTheProbeDoesNotSayHowLayersAreDrawnEvenly(LayerSampling sampling, double third, bool isSaid)
    {
        double[] probabilities = [0.5, 0, third, 0.5];
        Dictionary<string, double> shares = Shares(step =>
        {
            LayerSampler.Choice choice = LayerSampler.Choose(sampling, probabilities, sampling == LayerSampling.Upper ? 2 : 3, 11, step);
            Assert.Equal(isSaid, choice.Uniform);
            return choice;
        });
        if (sampling == LayerSampling.Upper) Assert.Equal(["2,3"], shares.Keys);
        else Assert.All(["0,1,2", "0,1,3", "0,2,3", "1,2,3"], layers => Assert.InRange(shares[layers], 0.24, 0.26));
    }

    private static Dictionary<string, double> Shares(double[] weights, int count) =>
        Shares(step => LayerSampler.Sample(weights, count, new PhiloxStream(11, 7, (ulong)step)));

    private static Dictionary<string, double> Shares(Func<int, LayerSampler.Choice> choose)
    {
        var shares = new Dictionary<string, double>();
        for (int step = 0; step < Draws; step++)
        {
            string name = string.Join(',', choose(step).Layers);
            shares[name] = shares.GetValueOrDefault(name) + (1.0 / Draws);
        }

        return shares;
    }
}
