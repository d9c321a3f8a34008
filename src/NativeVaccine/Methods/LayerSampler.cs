using NativeVaccine.Data;
using NativeVaccine.Engine;
using NativeVaccine.Numerics;

namespace NativeVaccine.Methods;

/// <summary>Chooses T-Vaccine's layers (arXiv 2410.09760): without replacement, by their share of the probe's gradient.</summary>
public static class LayerSampler
{
    /// <summary>What was chosen.</summary>
    /// <param name="Layers">The layers.</param>
    /// <param name="Uniform">True if the probabilities could not be used and all layers were equally likely.</param>
    public sealed record Choice(LayerSet Layers, bool Uniform);

    /// <summary>Each layer's share of the sum of the norms.</summary>
    public static double[] Probabilities(IReadOnlyList<double> norms)
    {
        double sum = norms.Sum();
        return [.. norms.Select(norm => norm / sum)];
    }

    /// <summary>Draws <paramref name="count"/> layers. The same seed and step draw the same ones.</summary>
    /// <exception cref="InputException">There are not so many layers.</exception>
    public static Choice Sample(ReadOnlySpan<double> probabilities, int count, ulong seed, int step)
    {
        var random = new PhiloxStream(seed, RandomPurpose.LayerChoice, (ulong)step);
        WeightedSampler.Draw draw = WeightedSampler.Sample(probabilities, count, random);
        return new Choice(LayerSet.Of(draw.Indices), draw.Uniform);
    }
}
