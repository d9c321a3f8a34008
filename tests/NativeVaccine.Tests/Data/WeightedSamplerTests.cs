using NativeVaccine.Data;
using NativeVaccine.Numerics;

namespace NativeVaccine.Tests.Data;

public class WeightedSamplerTests
{
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
        WeightedSampler.Draw draw = WeightedSampler.Sample([1, 2, 3, 4], 4, new PhiloxStream(1, 1, 1));
        Assert.Equal([0, 1, 2, 3], draw.Indices);
        Assert.False(draw.Uniform);
    }

    [Theory]
    [InlineData(double.NaN, 1, 1)]
    [InlineData(0, 0, 1)]
    [InlineData(double.PositiveInfinity, 1, 1)]
    [InlineData(-1, -1, 1)]
    public void UnusableWeightsGiveUniformDraws(double a, double b, double c)
    {
        Assert.True(WeightedSampler.Sample([a, b, c], 2, new PhiloxStream(1, 1, 1)).Uniform);
        Dictionary<string, double> shares = Shares([a, b, c], 2);
        Assert.Equal(3, shares.Count);
        Assert.All(shares.Values, share => Assert.InRange(share, 0.318, 0.348));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(4)]
    public void RefusesImpossibleNumbers(int count) =>
        Assert.Throws<InputException>(() => WeightedSampler.Sample([1, 1, 1], count, new PhiloxStream(1, 1, 1)));

    private static Dictionary<string, double> Shares(double[] weights, int count)
    {
        var shares = new Dictionary<string, double>();
        for (ulong step = 0; step < Draws; step++)
        {
            string name = string.Join(',', WeightedSampler.Sample(weights, count, new PhiloxStream(11, 7, step)).Indices);
            shares[name] = shares.GetValueOrDefault(name) + (1.0 / Draws);
        }

        return shares;
    }
}
