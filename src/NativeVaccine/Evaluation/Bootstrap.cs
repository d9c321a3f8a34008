using NativeVaccine.Numerics;

namespace NativeVaccine.Evaluation;

/// <summary>The bounds between which a number lies with some confidence.</summary>
/// <param name="Low">The lower one.</param>
/// <param name="High">The upper one.</param>
public readonly record struct Interval(double Low, double High);

/// <summary>
/// How far a number of an evaluation would move if other questions of the same kind had been asked: the percentile interval of the
/// bootstrap (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13). As many items as there are, are drawn with
/// replacement, <see cref="Resamples"/> times, by Philox with a fixed seed: the same items give the same interval.
/// </summary>
public static class Bootstrap
{
    /// <summary>How many times the items are drawn.</summary>
    public const int Resamples = 2000;

    /// <summary>The share of the draws that lie within the interval.</summary>
    public const double Confidence = 0.95;

    /// <summary>The seed of the draws.</summary>
    public const ulong Seed = 0;

    /// <summary>The interval of the mean of some values; both bounds are NaN where there are none.</summary>
    public static Interval OfMean(IReadOnlyList<double> values) => Of(values.Count, drawn =>
    {
        double sum = 0;
        foreach (int index in drawn) sum += values[index];
        return sum / drawn.Length;
    });

    /// <summary>The interval of the share of items, from 0 to 1, for which something holds.</summary>
    public static Interval OfShare(IEnumerable<bool> holds) => OfMean([.. holds.Select(static value => value ? 1.0 : 0.0)]);

    /// <summary>The interval of any number that is computed from items.</summary>
    /// <param name="count">How many items there are.</param>
    /// <param name="statistic">
    /// The number, from the indices of the items that were drawn; the array is used again. A draw for which it is NaN does not count.
    /// </param>
    public static Interval Of(int count, Func<int[], double> statistic)
    {
        if (count == 0) return new Interval(double.NaN, double.NaN);
        var numbers = new List<double>(Resamples);
        int[] drawn = new int[count];
        for (uint draw = 0; draw < Resamples; draw++)
        {
            var random = new PhiloxStream(Seed, RandomPurpose.Bootstrap, draw);
            for (int i = 0; i < count; i++) drawn[i] = random.NextInt(count);
            double number = statistic(drawn);
            if (!double.IsNaN(number)) numbers.Add(number);
        }
        if (numbers.Count == 0) return new Interval(double.NaN, double.NaN);
        numbers.Sort();
        int outside = (int)((1 - Confidence) / 2 * numbers.Count);
        return new Interval(numbers[outside], numbers[^(outside + 1)]);
    }
}
