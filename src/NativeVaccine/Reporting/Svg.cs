using System.Globalization;
using System.Xml.Linq;

namespace NativeVaccine.Reporting;

/// <summary>Charts as elements of a page; their colours come from its style sheet.</summary>
internal static class Svg
{
    private const int Width = 640;
    private const int Height = 200;
    private const int Left = 72;
    private const int Bottom = 24;
    private const int Top = 12;

    /// <summary>More points than this cannot be told apart: a point stands for the mean of its share of the steps.</summary>
    private const int MostColumns = 320;
    private const int RowHeight = 12;

    /// <summary>A curve over the steps; gaps where a value is not finite.</summary>
    public static XElement Curve(string name, IReadOnlyList<(int Step, double Value)> points)
    {
        (int Step, double Value)[] shown = [.. Thinned(points)];
        double[] finite = [.. shown.Select(static point => point.Value).Where(double.IsFinite)];
        XElement chart = Chart(name, Height);
        if (finite.Length == 0) return With(chart, Text(Left, Height / 2, "start", "no finite value"));
        (double low, double high) = (finite.Min(), finite.Max());
        (int first, int last) = (points[0].Step, points[^1].Step);
        double X(int step) => Left + ((Width - Left - 8.0) * (step - first) / Math.Max(1, last - first));
        double Y(double value) => high > low ? Top + ((Height - Top - Bottom) * (high - value) / (high - low)) : (Height - Bottom + Top) / 2.0;
        With(chart, Line(Left, Top, Left, Height - Bottom), Line(Left, Height - Bottom, Width - 8, Height - Bottom));
        With(chart, Text(Left - 6, Y(high) + 4, "end", Number(high)));
        if (high > low) With(chart, Text(Left - 6, Y(low) + 4, "end", Number(low)));
        AddSteps(chart, first, last, Height);
        foreach (string path in Paths(shown, X, Y)) chart.Add(new XElement("path", new XAttribute("class", "curve"), new XAttribute("d", path)));
        return chart;
    }

    /// <summary>A row for each layer, the last on top; the fuller a cell, the larger the value, which is from 0 to <paramref name="most"/>.</summary>
    public static XElement HeatMap(string name, IReadOnlyList<(int Step, double[] Layers)> columns, double most)
    {
        int layers = columns.Max(static column => column.Layers.Length);
        int height = Top + (layers * RowHeight) + Bottom;
        XElement chart = Chart(name, height);
        int count = Math.Min(columns.Count, MostColumns);
        double width = (Width - Left - 8.0) / count;
        for (int layer = 0; layer < layers; layer++)
        {
            int y = Top + ((layers - 1 - layer) * RowHeight);
            if (layers <= 8 || layer % 4 == 0) With(chart, Text(Left - 6, y + 10, "end", $"layer {layer}"));
            for (int i = 0; i < count; i++)
            {
                int from = i * columns.Count / count;
                int to = Math.Max(from + 1, (i + 1) * columns.Count / count);
                double mean = Enumerable.Range(from, to - from)
                    .Average(column => layer < columns[column].Layers.Length ? columns[column].Layers[layer] : 0);
                if (!(mean > 0)) continue;
                chart.Add(new XElement(
                    "rect", new XAttribute("class", "cell"), At("x", Left + (i * width)), At("y", y), At("width", width),
                    At("height", RowHeight - 1), At("fill-opacity", Math.Min(1, mean / most))));
            }
        }
        AddSteps(chart, columns[0].Step, columns[^1].Step, height);
        return chart;
    }

    /// <summary>A number in few digits.</summary>
    public static string Number(double value) =>
        double.IsFinite(value) ? value.ToString("G4", CultureInfo.InvariantCulture) : "not finite";

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

    private static IEnumerable<string> Paths((int Step, double Value)[] points, Func<int, double> x, Func<double, double> y)
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

    private static void AddSteps(XElement chart, int first, int last, int height)
    {
        With(chart, Text(Left, height - 6, "start", FormattableString.Invariant($"step {first}")));
        if (last > first) With(chart, Text(Width - 8, height - 6, "end", FormattableString.Invariant($"{last}")));
    }

    private static XElement With(XElement chart, params XElement[] parts)
    {
        chart.Add(parts);
        return chart;
    }

    private static XElement Line(double x1, double y1, double x2, double y2) =>
        new("line", new XAttribute("class", "axis"), At("x1", x1), At("y1", y1), At("x2", x2), At("y2", y2));

    private static XElement Text(double x, double y, string anchor, string text) =>
        new("text", At("x", x), At("y", y), new XAttribute("text-anchor", anchor), text);

    private static XAttribute At(string name, double value) => new(name, value.ToString("0.###", CultureInfo.InvariantCulture));
}
