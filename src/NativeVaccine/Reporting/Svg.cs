using System.Globalization;
using System.Xml.Linq;

namespace NativeVaccine.Reporting;

/// <summary>
/// The elements that charts are made of: svg, line, rect, path, circle and text, no others, so that a picture in a file can be drawn from them.
/// Charts are about as wide as a phone is, so that their text is as large as the page's wherever they are shown.
/// </summary>
internal static class Svg
{
    /// <summary>Width of every chart.</summary>
    public const int Width = 400;

    /// <summary>Where the plot ends on the right.</summary>
    public const int Right = Width - 12;

    /// <summary>Where the plot begins, below the name of the vertical axis.</summary>
    public const int Top = 26;

    /// <summary>Room below the plot for the ticks and the name of the horizontal axis.</summary>
    public const int Bottom = 40;

    private const int LegendRow = 18;
    private const int Sample = 26;
    private const int MostLegendCharacters = 50;

    /// <summary>An empty chart.</summary>
    /// <param name="name">What a screen reader calls it.</param>
    /// <param name="height">Its height; the text is 12 high.</param>
    public static XElement Chart(string name, double height) => new(
        "svg", new XAttribute("viewBox", FormattableString.Invariant($"0 0 {Width} {height:0.#}")), new XAttribute("role", "img"),
        new XAttribute("aria-label", name));

    public static XElement Line(string kind, double x1, double y1, double x2, double y2) =>
        new("line", new XAttribute("class", kind), At("x1", x1), At("y1", y1), At("x2", x2), At("y2", y2));

    public static XElement Rect(string kind, double x, double y, double width, double height) =>
        new("rect", new XAttribute("class", kind), At("x", x), At("y", y), At("width", width), At("height", height));

    public static XElement Path(string kind, string data, params object?[] more) =>
        new("path", new XAttribute("class", kind), new XAttribute("d", data), more);

    /// <summary>A path through some points: open, or closed to a shape.</summary>
    public static string Through(IEnumerable<(double X, double Y)> points, bool isClosed = false) => "M" + string.Join('L', points.Select(
        static point => string.Create(CultureInfo.InvariantCulture, $"{point.X:0.#} {point.Y:0.#}"))) + (isClosed ? "Z" : "");

    /// <param name="kind">"tick" or "label".</param>
    /// <param name="x">Where it begins, ends, or has its middle.</param>
    /// <param name="y">Its base line.</param>
    /// <param name="anchor">start, middle or end.</param>
    /// <param name="text">What it says.</param>
    public static XElement Text(string kind, double x, double y, string anchor, string text) =>
        new("text", new XAttribute("class", kind), At("x", x), At("y", y), new XAttribute("text-anchor", anchor), text);

    public static XAttribute At(string name, double value) => new(name, value.ToString("0.##", CultureInfo.InvariantCulture));

    /// <summary>A text that is not longer than some characters.</summary>
    public static string Shortened(string text, int most) => text.Length <= most ? text : string.Concat(text.AsSpan(0, most - 1), "…");

    /// <summary>Left of the plot there is room for the longest name of a tick.</summary>
    public static double Left(IEnumerable<string> ticks) => 12 + (Axis.CharacterWidth * ticks.Max(static tick => tick.Length));

    /// <summary>The vertical axis with its ticks, lines across the plot, and its name above it.</summary>
    public static void AddVertical(XElement chart, Axis axis, double left, string title)
    {
        foreach (double tick in axis.Ticks)
        {
            chart.Add(
                Line("grid", left, axis.At(tick), Right, axis.At(tick)), Line("axis", left - 4, axis.At(tick), left, axis.At(tick)),
                Text("tick", left - 7, axis.At(tick) + 4, "end", NumberText.Number(tick)));
        }
        chart.Add(Line("axis", left, axis.To, left, axis.From), Text("label", 4, 13, "start", title));
    }

    /// <summary>The horizontal axis with its ticks, and its name below it.</summary>
    public static void AddHorizontal(XElement chart, Axis axis, double y, string title, bool withGrid = false)
    {
        foreach (double tick in axis.Ticks)
        {
            double x = axis.At(tick);
            string name = NumberText.Number(tick);
            double half = name.Length * Axis.CharacterWidth / 2;
            string anchor = x + half > Width - 2 ? "end" : x - half < 2 ? "start" : "middle";
            if (withGrid) chart.Add(Line("grid", x, Top, x, y));
            chart.Add(Line("axis", x, y, x, y + 4), Text("tick", anchor == "end" ? Width - 2 : x, y + 17, anchor, name));
        }
        chart.Add(Line("axis", axis.From, y, axis.To, y), Text("label", (axis.From + axis.To) / 2, y + 33, "middle", title));
    }

    /// <summary>The rows that a legend takes.</summary>
    public static double LegendHeight(IReadOnlyList<string> names) => names.Count == 0 ? 0 : (LegendRow * (Places(names)[^1].Row + 1)) + 6;

    /// <summary>A sample of each series and its name.</summary>
    /// <param name="chart">Where it goes.</param>
    /// <param name="names">The names; the place of a name is the number of its series.</param>
    /// <param name="y">Where its first row begins.</param>
    /// <param name="hasLines">Whether series are lines, or only points.</param>
    public static void AddLegend(XElement chart, IReadOnlyList<string> names, double y, bool hasLines)
    {
        (double X, int Row)[] places = Places(names);
        for (int series = 0; series < names.Count; series++)
        {
            (double x, int row) = places[series];
            double middle = y + (LegendRow * row) + 9;
            if (hasLines) chart.Add(Path($"curve {Palette.Series(series)}", Through([(x, middle), (x + Sample, middle)]), Palette.Dash(series)));
            chart.Add(Palette.Marker(series, x + (Sample / 2.0), middle));
            chart.Add(Text("label", x + Sample + 6, middle + 4, "start", Shortened(names[series], MostLegendCharacters)));
        }
    }

    private static (double X, int Row)[] Places(IReadOnlyList<string> names)
    {
        var places = new (double, int)[names.Count];
        (double x, int row) = (8, 0);
        for (int i = 0; i < names.Count; i++)
        {
            double width = Sample + 18 + (Axis.CharacterWidth * Math.Min(names[i].Length, MostLegendCharacters));
            if (x > 8 && x + width > Width) (x, row) = (8, row + 1);
            places[i] = (x, row);
            x += width;
        }
        return places;
    }
}
