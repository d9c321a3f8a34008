using System.Globalization;

namespace NativeVaccine.Reporting;

/// <summary>Numbers as pages and charts show them.</summary>
internal static class NumberText
{
    private const double LargestPlain = 1e6;
    private const double SmallestPlain = 1e-4;

    /// <summary>A text with its numbers in the form of no country.</summary>
    public static string Say(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    /// <summary>A number in few digits, without a sign for a positive power: 0.0002, 1e-5, 3e6.</summary>
    public static string Number(double value)
    {
        if (!double.IsFinite(value)) return "not finite";
        return IsPlain(value)
            ? value.ToString("0.######", CultureInfo.InvariantCulture)
            : value.ToString("0.###e0", CultureInfo.InvariantCulture);
    }

    /// <summary>A number rounded to some digits that count, without zeros at the end: 0.5, 12.35, 1.234e7.</summary>
    public static string Rounded(double value, int digits = 4)
    {
        if (!double.IsFinite(value) || value == 0 || !IsPlain(value)) return Number(value);
        int decimals = Decimals(value, digits);
        return Math.Round(value, Math.Min(decimals, 15)).ToString("0." + new string('#', decimals), CultureInfo.InvariantCulture);
    }

    /// <summary>The decimals that a number has where so many of its digits count.</summary>
    public static int Decimals(double value, int digits) =>
        value == 0 ? 0 : Math.Clamp(digits - 1 - (int)Math.Floor(Math.Log10(Math.Abs(value))), 0, 15);

    /// <summary>Count and word: "1 step", "2 steps".</summary>
    public static string Count(int count, string word) => Say($"{count} {word}{(count == 1 ? "" : "s")}");

    private static bool IsPlain(double value) => value == 0 || Math.Abs(value) is >= SmallestPlain and < LargestPlain;
}

/// <summary>A unit that a row of numbers is shown in, chosen for the largest of them.</summary>
/// <param name="Name">"MiB".</param>
/// <param name="Size">How much of the plain number it is.</param>
internal readonly record struct DisplayUnit(string Name, double Size)
{
    /// <summary>Bytes.</summary>
    public static DisplayUnit OfBytes(double most) =>
        Largest(most, ("B", 1, 1), ("KiB", 1 << 10, 1), ("MiB", 1 << 20, 1), ("GiB", 1L << 30, 1), ("TiB", 1L << 40, 1));

    /// <summary>Floating-point operations.</summary>
    public static DisplayUnit OfFlops(double most) =>
        Largest(most, ("FLOP", 1, 1), ("MFLOP", 1e6, 1), ("GFLOP", 1e9, 1), ("TFLOP", 1e12, 1), ("PFLOP", 1e15, 1), ("EFLOP", 1e18, 1));

    /// <summary>Seconds.</summary>
    public static DisplayUnit OfSeconds(double most) => Largest(most, ("ms", 1e-3, 1), ("s", 1, 1), ("min", 60, 3), ("h", 3600, 2));

    /// <summary>The largest unit of which there are enough.</summary>
    private static DisplayUnit Largest(double most, params ReadOnlySpan<(string Name, double Size, double Enough)> units)
    {
        int last = 0;
        for (int i = 1; i < units.Length; i++)
        {
            if (most >= units[i].Size * units[i].Enough) last = i;
        }
        return new DisplayUnit(units[last].Name, units[last].Size);
    }
}
