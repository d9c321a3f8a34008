using NativeVaccine.Engine;
using NativeVaccine.Methods;

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
}
