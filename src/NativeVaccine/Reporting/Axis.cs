using System.Globalization;

namespace NativeVaccine.Reporting;

/// <summary>A linear axis of a chart: which numbers it has, where they lie, and which are named.</summary>
/// <param name="Low">Number at its beginning.</param>
/// <param name="High">Number at its end.</param>
/// <param name="From">Place of <see cref="Low"/> in the chart.</param>
/// <param name="To">Place of <see cref="High"/>.</param>
/// <param name="Ticks">The numbers that are named.</param>
internal sealed record Axis(double Low, double High, double From, double To, IReadOnlyList<double> Ticks)
{
    private const int MostTicks = 6;

    /// <summary>The width of a character of a chart's text, about: fonts differ.</summary>
    public const double CharacterWidth = 6.6;

    /// <summary>From a round number to a round number.</summary>
    public static Axis Round(double low, double high, double from, double to)
    {
        double[] ticks = RoundNumbers(low, high, MostTicks);
        return new Axis(ticks[0], ticks[^1], from, to, ticks);
    }

    /// <summary>From the first step to the last; both are named, and round ones between them as far as there is room.</summary>
    public static Axis OfSteps(double first, double last, double from, double to)
    {
        if (last <= first) return new Axis(first, first + 1, from, to, [first]);
        var axis = new Axis(first, last, from, to, [first, last]);
        IEnumerable<double> inner = last - first < 2 ? [] : RoundNumbers(first, last, MostTicks)
            .Where(tick => tick > first && tick < last && tick == Math.Floor(tick));
        return axis with { Ticks = axis.WithRoom([first, last], inner) };
    }

    /// <summary>Of values that were chosen, as a grid's are: those are named where there is room.</summary>
    public static Axis OfValues(IReadOnlyList<double> values, double from, double to)
    {
        (double low, double high) = (values.Min(), values.Max());
        double margin = high > low ? (high - low) * 0.05 : Math.Max(Math.Abs(low) * 0.05, 0.5);
        var axis = new Axis(low - margin, high + margin, from, to, []);
        double[] distinct = [.. values.Distinct().Order()];
        return axis with { Ticks = axis.WithRoom([distinct[0]], distinct.Reverse().Concat(distinct)) };
    }

    /// <summary>Where a number lies.</summary>
    public double At(double value) => From + ((To - From) * (value - Low) / (High - Low));

    /// <summary>
    /// Round numbers, at most about <paramref name="most"/> of them and never fewer than two, of which the first is not above the lowest value
    /// and the last not below the highest.
    /// </summary>
    internal static double[] RoundNumbers(double low, double high, int most)
    {
        if (high - low <= Math.Abs(high) * 1e-9) (low, high) = high == 0 ? (0, 1) : (high - (Math.Abs(high) / 10), high + (Math.Abs(high) / 10));
        double least = (high - low) / (most - 1);
        double power = Math.Pow(10, Math.Floor(Math.Log10(least)));
        double step = power * (least <= power * 1.000001 ? 1 : least <= power * 2.000001 ? 2 : least <= power * 5.000001 ? 5 : 10);
        long from = (long)Math.Floor((low / step) + 1e-9);
        long to = (long)Math.Ceiling((high / step) - 1e-9);
        // Rounded, so that 3 * 0.1 is 0.3.
        return [.. Enumerable.Range(0, (int)(to - from) + 1).Select(i => double.Parse(
            ((from + i) * step).ToString("G12", CultureInfo.InvariantCulture), CultureInfo.InvariantCulture))];
    }

    /// <summary>Those that are named anyhow, and of the others those whose names touch none.</summary>
    private double[] WithRoom(IEnumerable<double> always, IEnumerable<double> others)
    {
        List<double> named = [.. always];
        foreach (double value in others)
        {
            if (named.TrueForAll(other => Math.Abs(At(value) - At(other)) >= Room(value, other))) named.Add(value);
        }
        return [.. named.Order()];
    }

    private static double Room(double one, double other) =>
        ((NumberText.Number(one).Length + NumberText.Number(other).Length) * CharacterWidth / 2) + 8;
}
