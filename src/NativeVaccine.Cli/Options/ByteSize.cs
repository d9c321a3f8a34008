using System.Globalization;

namespace NativeVaccine.Cli.Options;

/// <summary>Sizes of memory for people.</summary>
internal static class ByteSize
{
    private static readonly string[] Units = ["B", "KiB", "MiB", "GiB", "TiB"];

    /// <summary>
    /// Reads "24GiB", "1.5 GiB", "512MiB", "4096B". A bare number is refused, since nobody means 24 bytes by 24; but 0, no limit, needs no unit.
    /// </summary>
    public static bool TryParse(string text, out long bytes)
    {
        string trimmed = text.Trim();
        int unit = Array.FindLastIndex(Units, candidate => trimmed.EndsWith(candidate, StringComparison.OrdinalIgnoreCase));
        string number = unit < 0 ? trimmed : trimmed[..^Units[unit].Length];
        const NumberStyles Style = NumberStyles.AllowDecimalPoint | NumberStyles.AllowTrailingWhite;
        bool isNumber = double.TryParse(number, Style, CultureInfo.InvariantCulture, out double value);
        double size = value * Math.Pow(1024, Math.Max(unit, 0));
        bool isGood = isNumber && size is >= 0 and < long.MaxValue && (unit >= 0 || size == 0);
        bytes = isGood ? (long)size : 0;
        return isGood;
    }

    /// <summary>Three digits and a unit: "13.0 GiB".</summary>
    public static string Format(long bytes)
    {
        int unit = 0;
        double size = bytes;
        while (size >= 1000 && unit < Units.Length - 1)
        {
            size /= 1024;
            unit++;
        }
        string format = unit == 0 || size >= 100 ? "F0" : size >= 10 ? "F1" : "F2";
        return string.Create(CultureInfo.InvariantCulture, $"{size.ToString(format, CultureInfo.InvariantCulture)} {Units[unit]}");
    }
}
