using NativeVaccine.Methods;

namespace NativeVaccine.Tests.Methods;

public sealed class TVaccineCostTests
{
    /// <summary>Against many even draws; the bound is four standard deviations of their mean.</summary>
    [Theory]
    [InlineData(12, 3, 0)]
    [InlineData(12, 3, 6)]
    [InlineData(7, 1, 4)]
    [InlineData(32, 8, 0)]
    [InlineData(5, 5, 0)]
    public void TheMeanIsThatOfEvenDraws(int layerCount, int layers, int lowestAllowed)
    {
        const int Draws = 20_000;
        TVaccineCost cost = Of(layerCount, layers, lowestAllowed);
        double[] weights = [.. Enumerable.Repeat(1.0, layerCount - lowestAllowed)];
        int[] lowest = [.. Enumerable.Range(0, Draws).Select(step => lowestAllowed + LayerSampler.Sample(weights, layers, 3, step).Layers.Lowest)];
        double mean = lowest.Average(), deviation = Math.Sqrt(lowest.Average(each => (each - mean) * (each - mean)) / Draws);

        Assert.InRange(cost.Mean(static each => each), mean - (4 * deviation) - 1e-9, mean + (4 * deviation) + 1e-9);
        Assert.Equal(lowestAllowed + ((layerCount - lowestAllowed - layers) / (layers + 1.0)), cost.Mean(static each => each), 9);
        Assert.Equal(1, cost.Mean(static _ => 1), 9);
    }

    [Fact]
    public void WhatIsSavedAreThePassesBelowTheLowestLayer()
    {
        TVaccineCost fresh = Of(12, 3, 0), shared = Of(12, 3, 0) with { Start = static lowest => lowest };

        Assert.Equal(1 - (6 / 24.0), fresh.Passes(6) / 48.0);
        Assert.Equal(1 - (3 * 6 / 48.0), shared.Passes(6) / 48.0);
        Assert.Equal(48, shared.Passes(0));
    }

    private static TVaccineCost Of(int layerCount, int layers, int lowestAllowed) => new()
    {
        LayerCount = layerCount,
        Layers = layers,
        LowestAllowed = lowestAllowed,
        Start = static _ => 0,
        Floor = static lowest => lowest,
    };
}
