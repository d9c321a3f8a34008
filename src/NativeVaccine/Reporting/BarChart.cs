using System.Xml.Linq;

namespace NativeVaccine.Reporting;

/// <summary>A bar.</summary>
/// <param name="Name">Of what it is.</param>
/// <param name="Value">At least 0.</param>
/// <param name="Interval">Its interval, if there is one.</param>
internal readonly record struct Bar(string Name, double Value, (double Low, double High)? Interval = null);

/// <summary>Bars from zero.</summary>
internal static class BarChart
{
    private const int PlotHeight = 130;
    private const int NameRow = 17;
    private const int BarHeight = 13;
    private const int BarRow = NameRow + BarHeight + 8;
    private const int MostCharacters = 55;

    /// <summary>A bar for each name, from left to right below its name: there is room for long ones.</summary>
    /// <param name="name">What a screen reader calls the chart.</param>
    /// <param name="what">What the axis has: "time".</param>
    /// <param name="unit">Its unit.</param>
    /// <param name="bars">One or more.</param>
    public static XElement Named(string name, string what, string unit, IReadOnlyList<Bar> bars)
    {
        const double left = 8;
        double bottom = Svg.Top + (BarRow * bars.Count) - 14;
        XElement chart = Svg.Chart(name, bottom + Svg.Bottom);
        var axis = Axis.Round(0, bars.Max(static bar => Math.Max(bar.Value, bar.Interval?.High ?? 0)), left, Svg.Right);
        Svg.AddHorizontal(chart, axis, bottom, $"{what} ({unit})", withGrid: true);
        chart.Add(Svg.Line("axis", left, Svg.Top - 14, left, bottom));
        for (int i = 0; i < bars.Count; i++)
        {
            double y = Svg.Top + (BarRow * i);
            Bar bar = bars[i];
            double end = axis.At(bar.Value);
            chart.Add(
                Svg.Text("label", left + 3, y, "start", $"{Svg.Shortened(bar.Name, MostCharacters)}: {NumberText.Rounded(bar.Value, 3)} {unit}"),
                Svg.Rect("bar s0", left, y + 5, Math.Max(0.5, end - left), BarHeight));
            if (bar.Interval is var (low, high))
                chart.Add(Whisker(axis.At(low), axis.At(high), y + 5 + (BarHeight / 2.0)));
        }
        return chart;
    }

    /// <summary>A bar upwards for each layer, the lowest first.</summary>
    /// <param name="name">What a screen reader calls the chart.</param>
    /// <param name="yTitle">Name and unit of the vertical axis.</param>
    /// <param name="values">One for each layer, at least 0.</param>
    public static XElement OverLayers(string name, string yTitle, IReadOnlyList<double> values)
    {
        const double bottom = Svg.Top + PlotHeight;
        XElement chart = Svg.Chart(name, bottom + Svg.Bottom);
        var vertical = Axis.Round(0, values.Max(), bottom, Svg.Top);
        double left = Svg.Left(vertical.Ticks.Select(NumberText.Number));
        Svg.AddVertical(chart, vertical, left, yTitle);
        double width = (Svg.Right - left) / values.Count;
        for (int layer = 0; layer < values.Count; layer++)
        {
            double top = vertical.At(values[layer]);
            if (values[layer] > 0) chart.Add(Svg.Rect("bar s0", left + (layer * width) + (width * 0.1), top, width * 0.8, bottom - top));
        }
        int every = (int)Math.Ceiling(28 / width);
        IEnumerable<double> named = Enumerable.Range(0, values.Count).Where(layer => layer % every == 0).Select(static layer => (double)layer);
        var horizontal = new Axis(-0.5, values.Count - 0.5, left, Svg.Right, [.. named]);
        Svg.AddHorizontal(chart, horizontal, bottom, "layer");
        return chart;
    }

    private static XElement Whisker(double from, double to, double y) => Svg.Path(
        "whisker s7", Svg.Through([(from, y), (to, y)]) + Svg.Through([(from, y - 4), (from, y + 4)]) + Svg.Through([(to, y - 4), (to, y + 4)]));
}
