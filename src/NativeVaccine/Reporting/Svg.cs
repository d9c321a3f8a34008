using System.Globalization;
using System.Xml.Linq;

namespace NativeVaccine.Reporting;

/// <summary>
/// Charts as elements of a page; their colours come from its style sheet. They are drawn about as wide as a phone is, so that their text is
/// as large as the page's wherever they are shown.
/// </summary>
internal static class Svg
{
    private const int Width = 400;
    private const int Height = 200;
    private const int Left = 58;
    private const int Right = Width - 8;
    private const int Bottom = 24;
    private const int Top = 10;
    private const int MostTicks = 6;

    /// <summary>More points than this cannot be told apart: a point stands for the mean of its share of the steps.</summary>
    private const int MostColumns = 160;

    /// <summary>A curve over the steps; gaps where a value is not finite.</summary>
    public static XElement Curve(string name, IReadOnlyList<(int Step, double Value)> points)
    {
        (int Step, double Value)[] shown = [.. Thinned(points)];
        double[] finite = [.. shown.Select(static point => point.Value).Where(double.IsFinite)];
        XElement chart = Chart(name, Height);
        if (finite.Length == 0) return With(chart, Text(Left, Height / 2, "start", "no finite value"));
        (int first, int last) = (points[0].Step, points[^1].Step);
        double[] ticks = Ticks(finite.Min(), finite.Max(), MostTicks);
        (double low, double high) = (ticks[0], ticks[^1]);
        double X(double step) => Left + ((Right - Left) * (step - first) / Math.Max(1, last - first));
        double Y(double value) => Top + ((Height - Top - Bottom) * (high - value) / (high - low));
        foreach (double tick in ticks)
            With(chart, Line("grid", Left, Y(tick), Right, Y(tick)), Text(Left - 6, Y(tick) + 4, "end", Number(tick)));
        With(chart, Line("axis", Left, Top, Left, Height - Bottom), Line("axis", Left, Height - Bottom, Right, Height - Bottom));
        AddSteps(chart, Height, first, last, X);
        foreach (string path in Paths(shown, X, Y)) chart.Add(new XElement("path", new XAttribute("class", "curve"), new XAttribute("d", path)));
        return chart;
    }

    /// <summary>A row for each layer, the last on top; the fuller a cell, the larger the value, which is from 0 to <paramref name="most"/>.</summary>
    public static XElement HeatMap(string name, IReadOnlyList<(int Step, double[] Layers)> columns, double most)
    {
        int layers = columns.Max(static column => column.Layers.Length);
        int rowHeight = Math.Clamp(180 / layers, 5, 14);
        int height = Top + (layers * rowHeight) + Bottom;
        XElement chart = Chart(name, height);
        int labelled = Math.Max(1, (int)Math.Ceiling(14.0 / rowHeight));
        int count = Math.Min(columns.Count, MostColumns);
        double width = (Right - Left) / (double)count;
        for (int layer = 0; layer < layers; layer++)
        {
            double y = Top + ((layers - 1 - layer) * rowHeight);
            if (layer % labelled == 0) With(chart, Text(Left - 6, y + (rowHeight / 2.0) + 4, "end", layer == 0 ? "layer 0" : $"{layer}"));
            foreach ((int from, int length, double opacity) in Runs(columns, layer, count, most))
            {
                chart.Add(new XElement(
                    "rect", new XAttribute("class", "cell"), At("x", Left + (from * width)), At("y", y), At("width", length * width),
                    At("height", rowHeight - 1), At("fill-opacity", opacity)));
            }
        }
        With(chart, Line("axis", Left, Top, Left, height - Bottom), Line("axis", Left, height - Bottom, Right, height - Bottom));
        // Columns are as wide as each other, whatever the steps between them.
        foreach (int at in Enumerable.Range(0, 3).Select(part => part * (columns.Count - 1) / 2).Distinct())
        {
            double x = Left + ((Right - Left) * (at + 0.5) / columns.Count);
            With(chart, Line("axis", x, height - Bottom, x, height - Bottom + 4), Text(x, height - 6, Anchor(x), StepName(columns[at].Step, at == 0)));
        }
        return chart;
    }

    /// <summary>A number in few digits, without a sign for a positive power: 0.0002, 1e-5, 3e6.</summary>
    public static string Number(double value)
    {
        if (!double.IsFinite(value)) return "not finite";
        double size = Math.Abs(value);
        return value == 0 || size is >= 1e-4 and < 1e6
            ? value.ToString("0.######", CultureInfo.InvariantCulture)
            : value.ToString("0.###e0", CultureInfo.InvariantCulture);
    }

    /// <summary>
    /// Round numbers, at most about <paramref name="most"/> of them and never fewer than two, of which the first is not above the lowest value
    /// and the last not below the highest.
    /// </summary>
    internal static double[] Ticks(double low, double high, int most)
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

    private static IEnumerable<(int From, int Length, double Opacity)> Runs(
        IReadOnlyList<(int Step, double[] Layers)> columns, int layer, int count, double most)
    {
        double[] opacities = [.. Enumerable.Range(0, count).Select(i =>
        {
            int from = (int)((long)i * columns.Count / count);
            int to = Math.Max(from + 1, (int)((long)(i + 1) * columns.Count / count));
            double mean = Enumerable.Range(from, to - from)
                .Average(column => layer < columns[column].Layers.Length ? columns[column].Layers[layer] : 0);
            return mean > 0 ? Math.Round(Math.Min(1, mean / most), 3) : 0;
        })];
        for (int from = 0, length; from < count; from += length)
        {
            length = opacities.AsSpan(from).IndexOfAnyExcept(opacities[from]) is > 0 and var same ? same : count - from;
            if (opacities[from] > 0) yield return (from, length, opacities[from]);
        }
    }

    private static IEnumerable<(int Step, double Value)> Thinned(IReadOnlyList<(int Step, double Value)> points)
    {
        int count = Math.Min(points.Count, MostColumns);
        for (int i = 0; i < count; i++)
        {
            int from = (int)((long)i * points.Count / count);
            int to = (int)((long)(i + 1) * points.Count / count);
            yield return (points[from].Step, Enumerable.Range(from, to - from).Average(k => points[k].Value));
        }
    }

    private static IEnumerable<string> Paths((int Step, double Value)[] points, Func<double, double> x, Func<double, double> y)
    {
        int from = 0;
        while (from < points.Length)
        {
            (int Step, double Value)[] run = [.. points.Skip(from).TakeWhile(static point => double.IsFinite(point.Value))];
            from += run.Length + 1;
            if (run.Length == 0) continue;
            // A single point is drawn by the round end of a line of no length.
            yield return "M" + string.Join('L', run.Append(run[^1]).Select(
                point => string.Create(CultureInfo.InvariantCulture, $"{x(point.Step):F1} {y(point.Value):F1}")));
        }
    }

    private static XElement Chart(string name, int height) => new(
        "svg", new XAttribute("viewBox", FormattableString.Invariant($"0 0 {Width} {height}")), new XAttribute("role", "img"),
        new XAttribute("aria-label", name));

    private static void AddSteps(XElement chart, int height, int first, int last, Func<double, double> x)
    {
        IEnumerable<double> inner = last - first < 2 ? [] : Ticks(first, last, MostTicks).Where(tick => tick > first && tick < last && tick == Math.Floor(tick));
        With(chart, Text(Left, height - 6, "start", StepName(first, isFirst: true)));
        foreach (double step in inner.Append(last).Where(step => step > first))
        {
            bool isCrowded = x(step) - Left < 60 || (step < last && x(last) - x(step) < 40);
            With(chart, Line("axis", x(step), height - Bottom, x(step), height - Bottom + 4));
            if (!isCrowded) With(chart, Text(x(step), height - 6, Anchor(x(step)), StepName((int)step, isFirst: false)));
        }
    }

    private static string StepName(int step, bool isFirst) =>
        string.Create(CultureInfo.InvariantCulture, $"{(isFirst ? "step " : "")}{step}");

    private static string Anchor(double x) => x < Left + 30 ? "start" : x > Right - 20 ? "end" : "middle";

    private static XElement With(XElement chart, params XElement[] parts)
    {
        chart.Add(parts);
        return chart;
    }

    private static XElement Line(string kind, double x1, double y1, double x2, double y2) =>
        new("line", new XAttribute("class", kind), At("x1", x1), At("y1", y1), At("x2", x2), At("y2", y2));

    private static XElement Text(double x, double y, string anchor, string text) =>
        new("text", At("x", x), At("y", y), new XAttribute("text-anchor", anchor), text);

    private static XAttribute At(string name, double value) => new(name, value.ToString("0.###", CultureInfo.InvariantCulture));
}
