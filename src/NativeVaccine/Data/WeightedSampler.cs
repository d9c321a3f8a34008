using NativeVaccine.Numerics;

namespace NativeVaccine.Data;

/// <summary>Draws layers by their share of the probe's gradient (docs/methods.md, "T-Vaccine").</summary>
public static class WeightedSampler
{
    /// <summary>What was drawn.</summary>
    /// <param name="Indices">The indices drawn, ascending.</param>
    /// <param name="Uniform">
    /// True if the weights could not be used (fewer positive ones than draws, or not finite) and all were equally likely.
    /// </param>
    public sealed record Draw(int[] Indices, bool Uniform);

    /// <summary>
    /// <paramref name="count"/> different indices of <paramref name="weights"/>: successive draws, each with probability proportional
    /// to the weights of what is left. Weights need not sum to 1.
    /// </summary>
    /// <exception cref="InputException">More are wanted than there are, or none.</exception>
    public static Draw Sample(ReadOnlySpan<double> weights, int count, PhiloxStream random)
    {
        if (count <= 0 || count > weights.Length)
            throw new InputException($"cannot draw {count} of {weights.Length} layers: expected a number from 1 to {weights.Length}");
        bool uniform = !Usable(weights, count);
        double[] left = new double[weights.Length];
        for (int i = 0; i < left.Length; i++)
            left[i] = uniform ? 1 : Math.Max(weights[i], 0);

        int[] drawn = new int[count];
        for (int draw = 0; draw < count; draw++)
        {
            drawn[draw] = DrawOne(left, random.NextDouble());
            left[drawn[draw]] = 0;
        }

        Array.Sort(drawn);
        return new Draw(drawn, uniform);
    }

    private static bool Usable(ReadOnlySpan<double> weights, int count)
    {
        int positive = 0;
        double sum = 0;
        foreach (double weight in weights)
        {
            if (double.IsNaN(weight))
                return false;
            positive += weight > 0 ? 1 : 0;
            sum += Math.Max(weight, 0);
        }

        return positive >= count && double.IsFinite(sum);
    }

    /// <summary>The first index at which the running sum passes <paramref name="fraction"/> of the whole.</summary>
    private static int DrawOne(double[] weights, double fraction)
    {
        double target = fraction * weights.Sum();
        double running = 0;
        int last = -1;
        for (int i = 0; i < weights.Length; i++)
        {
            if (weights[i] <= 0)
                continue;
            running += weights[i];
            last = i;
            if (running > target)
                return i;
        }

        // Rounding can leave the whole a hair above the running sum; the last positive weight then owns the difference.
        return last;
    }
}
