using NativeVaccine.Engine;
using NativeVaccine.Numerics;

namespace NativeVaccine.Methods;

/// <summary>How T-Vaccine chooses its layers. p is a layer's share of the probe's gradient.</summary>
public enum LayerSampling
{
    /// <summary>Drawn by p, as in the paper.</summary>
    Gradient,

    /// <summary>Drawn evenly.</summary>
    Uniform,

    /// <summary>Drawn by 1 / p.</summary>
    Inverse,

    /// <summary>Not drawn: those of the largest p; of equal ones the lower.</summary>
    Largest,

    /// <summary>Drawn by p among the layers from L / 2 on, rounded up.</summary>
    Upper,
}

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

    /// <summary>The lowest layer of <paramref name="layerCount"/> that may be chosen.</summary>
    public static int LowestOf(LayerSampling sampling, int layerCount) => sampling == LayerSampling.Upper ? (layerCount + 1) / 2 : 0;

    /// <summary>Chooses <paramref name="count"/> layers. The same seed and step choose the same ones.</summary>
    /// <param name="sampling">How.</param>
    /// <param name="probabilities">p of every layer.</param>
    /// <param name="count">S.</param>
    /// <param name="seed">Of the run.</param>
    /// <param name="step">Of the run.</param>
    /// <exception cref="InputException">There are not so many layers.</exception>
    public static Choice Choose(LayerSampling sampling, ReadOnlySpan<double> probabilities, int count, ulong seed, int step)
    {
        int lowest = LowestOf(sampling, probabilities.Length);
        double[] weights = probabilities[lowest..].ToArray();
        if (sampling == LayerSampling.Uniform) Array.Fill(weights, 1);
        if (sampling == LayerSampling.Inverse) weights = [.. weights.Select(static p => 1 / p)];
        if (sampling == LayerSampling.Largest && Usable(weights, count))
            return new Choice(LayerSet.Of(Enumerable.Range(0, weights.Length).OrderByDescending(layer => weights[layer]).Take(count)), Uniform: false);
        Choice choice = Sample(weights, count, seed, step);
        return choice with { Layers = LayerSet.Of(choice.Layers.Select(layer => lowest + layer)) };
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
