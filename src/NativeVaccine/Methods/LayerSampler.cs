using NativeVaccine.Engine;
using NativeVaccine.Numerics;

namespace NativeVaccine.Methods;

/// <summary>Chooses T-Vaccine's layers (arXiv 2410.09760): without replacement, by their share of the probe's gradient.</summary>
public static class LayerSampler
{
    /// <summary>What was chosen.</summary>
    /// <param name="Layers">The layers.</param>
    /// <param name="Uniform">
    /// True if the weights could not be used (fewer positive ones than layers wanted, or not finite) and all were equally likely.
    /// </param>
    public sealed record Choice(LayerSet Layers, bool Uniform);

    /// <summary>Each layer's share of the sum of the norms.</summary>
    public static double[] Probabilities(IReadOnlyList<double> norms)
    {
        double sum = norms.Sum();
        return [.. norms.Select(norm => norm / sum)];
    }

    /// <summary>Draws <paramref name="count"/> layers. The same seed and step draw the same ones.</summary>
    /// <exception cref="InputException">There are not so many layers.</exception>
    public static Choice Sample(ReadOnlySpan<double> probabilities, int count, ulong seed, int step) =>
        Sample(probabilities, count, new PhiloxStream(seed, RandomPurpose.LayerChoice, (ulong)step));

    /// <summary>
    /// <paramref name="count"/> different layers: successive draws, each with probability proportional to the weights of what is left.
    /// Weights need not sum to 1.
    /// </summary>
    /// <exception cref="InputException">More are wanted than there are, or none.</exception>
    public static Choice Sample(ReadOnlySpan<double> weights, int count, PhiloxStream random)
    {
        if (count <= 0 || count > weights.Length)
            throw new InputException($"cannot draw {count} of {weights.Length} layers: expected a number from 1 to {weights.Length}");
        bool uniform = !Usable(weights, count);
        double[] left = new double[weights.Length];
        for (int i = 0; i < left.Length; i++) left[i] = uniform ? 1 : Math.Max(weights[i], 0);

        int[] drawn = new int[count];
        for (int draw = 0; draw < count; draw++)
        {
            drawn[draw] = DrawOne(left, random.NextDouble());
            left[drawn[draw]] = 0;
        }
        return new Choice(LayerSet.Of(drawn), uniform);
    }

    private static bool Usable(ReadOnlySpan<double> weights, int count)
    {
        int positive = 0;
        double sum = 0;
        foreach (double weight in weights)
        {
            if (double.IsNaN(weight)) return false;
            positive += weight > 0 ? 1 : 0;
            sum += Math.Max(weight, 0);
        }
        return positive >= count && double.IsFinite(sum);
    }

    /// <summary>The first layer at which the running sum passes <paramref name="fraction"/> of the whole.</summary>
    private static int DrawOne(double[] weights, double fraction)
    {
        double target = fraction * weights.Sum();
        double running = 0;
        int last = -1;
        for (int i = 0; i < weights.Length; i++)
        {
            if (weights[i] <= 0) continue;
            running += weights[i];
            last = i;
            if (running > target) return i;
        }

        // Rounding can leave the whole a hair above the running sum; the last positive weight then owns the difference.
        return last;
    }
}
