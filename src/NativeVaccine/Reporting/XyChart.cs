using System.Xml.Linq;

namespace NativeVaccine.Reporting;

/// <summary>A point of a series.</summary>
/// <param name="X">On the horizontal axis.</param>
/// <param name="Y">On the vertical axis; NaN leaves a gap in a line.</param>
/// <param name="YInterval">Bounds of Y's interval, if there is one.</param>
/// <param name="XInterval">Bounds of X's interval, if there is one.</param>
internal readonly record struct Point(double X, double Y, (double Low, double High)? YInterval = null, (double Low, double High)? XInterval = null);

/// <summary>Points that belong together.</summary>
/// <param name="Name">In the legend.</param>
/// <param name="Points">In ascending order of X, where they make a line.</param>
internal sealed record Series(string Name, IReadOnlyList<Point> Points);

/// <summary>How series are drawn.</summary>
internal enum SeriesForm
{
    /// <summary>A line over the steps, with a band for the interval.</summary>
    Curve,

    /// <summary>Points on a line, with whiskers for the interval.</summary>
    Line,

    /// <summary>Points alone, with whiskers for the intervals.</summary>
    Points,
}

/// <summary>Series over a horizontal and a vertical axis.</summary>
internal sealed record XyChart
{
    private const int PlotHeight = 170;
    private const int MostMarkers = 10;

    /// <summary>Pixels between the points of two series that have the same place.</summary>
    private const double Dodge = 4;

    /// <summary>More points than this cannot be told apart: a point stands for the mean of its share of them.</summary>
    private const int MostPoints = 160;

    /// <summary>What a screen reader calls it.</summary>
    public required string Name { get; init; }

    /// <summary>Name and unit of the horizontal axis.</summary>
    public required string XTitle { get; init; }

    /// <summary>Name and unit of the vertical axis.</summary>
    public required string YTitle { get; init; }

    /// <summary>What is drawn; a legend names them where there are several.</summary>
    public required IReadOnlyList<Series> Series { get; init; }

    /// <summary>How.</summary>
    public SeriesForm Form { get; init; }

    /// <summary>The vertical axis, where it is not as the points have it.</summary>
    public (double Low, double High)? YRange { get; init; }

    /// <summary>Whether the vertical axis begins at zero in any case.</summary>
    public bool IsFromZero { get; init; }

    /// <summary>A dotted line across the plot, and what it is.</summary>
    public (double Y, string Text)? Level { get; init; }

    /// <summary>A dotted line from the level down to the horizontal axis, and what it is.</summary>
    public (double X, string Text)? Crossing { get; init; }

    /// <summary>A percentage's axis.</summary>
    public static (double, double)? Percent => (0, 100);

    private bool IsLines => Form != SeriesForm.Points;

    /// <summary>The chart.</summary>
    public XElement Draw()
    {
        IReadOnlyList<string> names = Series.Count > 1 ? [.. Series.Select(static series => series.Name)] : [];
        double bottom = Svg.Top + PlotHeight;
        XElement chart = Svg.Chart(Name, bottom + Svg.Bottom + Svg.LegendHeight(names));
        Series[] shown = [.. Series.Select(series => series with { Points = Form == SeriesForm.Curve ? Thinned(series.Points) : series.Points })];
        Point[] finite = [.. shown.SelectMany(static series => series.Points).Where(static point => double.IsFinite(point.X) && double.IsFinite(point.Y))];
        if (finite.Length == 0)
        {
            chart.Add(Svg.Text("label", Svg.Width / 2, Svg.Top + (PlotHeight / 2), "middle", "no finite value"));
            return chart;
        }
        Axis vertical = Vertical(finite, bottom);
        double left = Svg.Left(vertical.Ticks.Select(NumberText.Number));
        Axis horizontal = Horizontal(finite, left);
        Svg.AddVertical(chart, vertical, left, YTitle);
        Svg.AddHorizontal(chart, horizontal, bottom, XTitle, withGrid: Form == SeriesForm.Points);
        AddMarks(chart, horizontal, vertical, left);
        for (int i = 0; i < shown.Length; i++) AddIntervals(chart, shown[i], i, horizontal, vertical);
        for (int i = 0; i < shown.Length; i++) AddSeries(chart, shown[i], i, horizontal, vertical);
        Svg.AddLegend(chart, names, bottom + Svg.Bottom, IsLines);
        return chart;
    }

    private Axis Vertical(Point[] finite, double bottom)
    {
        if (YRange is var (low, high)) return Axis.Round(low, high, bottom, Svg.Top);
        double[] all = [.. finite.SelectMany(static point => new[] { point.Y, point.YInterval?.Low ?? point.Y, point.YInterval?.High ?? point.Y })];
        return Axis.Round(IsFromZero ? Math.Min(0, all.Min()) : all.Min(), all.Max(), bottom, Svg.Top);
    }

    private Axis Horizontal(Point[] finite, double left)
    {
        double[] all = [.. finite.SelectMany(static point => new[] { point.X, point.XInterval?.Low ?? point.X, point.XInterval?.High ?? point.X })];
        return Form switch
        {
            SeriesForm.Curve => Axis.OfSteps(all.Min(), all.Max(), left, Svg.Right),
            SeriesForm.Line => Axis.OfValues([.. finite.Select(static point => point.X)], left, Svg.Right),
            _ => Axis.Round(all.Min(), all.Max(), left, Svg.Right),
        };
    }

    private void AddMarks(XElement chart, Axis horizontal, Axis vertical, double left)
    {
        if (Level is not var (y, text)) return;
        chart.Add(Svg.Line("mark", left, vertical.At(y), Svg.Right, vertical.At(y)));
        if (Crossing is not var (x, name))
        {
            chart.Add(Svg.Text("label", Svg.Right, vertical.At(y) - 4, "end", text));
            return;
        }
        double at = horizontal.At(x);
        chart.Add(Svg.Line("mark", at, vertical.At(y), at, vertical.From));
        // Before it rises through the level a curve is below it, and after that above.
        bool isRoomBefore = at - left > (name.Length * Axis.CharacterWidth) + 8;
        chart.Add(Svg.Text("label", isRoomBefore ? at - 5 : at + 6, vertical.At(y) + (isRoomBefore ? -5 : 15), isRoomBefore ? "end" : "start", name));
    }

    private void AddIntervals(XElement chart, Series series, int index, Axis horizontal, Axis vertical)
    {
        Point[] points = [.. series.Points.Where(static point => double.IsFinite(point.Y) && point.YInterval is not null)];
        if (Form == SeriesForm.Curve)
        {
            if (points.Length < 2) return;
            IEnumerable<(double, double)> outline = points.Select(point => (horizontal.At(point.X), vertical.At(point.YInterval!.Value.High)))
                .Concat(points.Reverse().Select(point => (horizontal.At(point.X), vertical.At(point.YInterval!.Value.Low))));
            chart.Add(Svg.Path($"band {Palette.Series(index)}", Svg.Through(outline, isClosed: true)));
            return;
        }
        foreach (Point point in points)
        {
            double x = horizontal.At(point.X) + Offset(index);
            (double low, double high) = (vertical.At(point.YInterval!.Value.Low), vertical.At(point.YInterval.Value.High));
            chart.Add(Whisker(index, (x, low), (x, high), (3, 0)));
            if (point.XInterval is var (from, to))
                chart.Add(Whisker(index, (horizontal.At(from), vertical.At(point.Y)), (horizontal.At(to), vertical.At(point.Y)), (0, 3)));
        }
    }

    /// <summary>A line between the bounds, with a short one across each end.</summary>
    private static XElement Whisker(int index, (double X, double Y) one, (double X, double Y) other, (double X, double Y) cap)
    {
        string End((double X, double Y) at) => Svg.Through([(at.X - cap.X, at.Y - cap.Y), (at.X + cap.X, at.Y + cap.Y)]);
        return Svg.Path($"whisker {Palette.Series(index)}", Svg.Through([one, other]) + End(one) + End(other));
    }

    private void AddSeries(XElement chart, Series series, int index, Axis horizontal, Axis vertical)
    {
        (double X, double Y)[] places = [.. series.Points.Select(point => (horizontal.At(point.X) + Offset(index), vertical.At(point.Y)))];
        if (IsLines)
        {
            foreach ((double, double)[] run in Runs(places))
            {
                // A single point is drawn by the round end of a line of no length.
                chart.Add(Svg.Path($"curve {Palette.Series(index)}", Svg.Through(run.Length == 1 ? [run[0], run[0]] : run), Palette.Dash(index)));
            }
        }
        if (Form == SeriesForm.Curve && Series.Count == 1 && places.Length > 2 * MostMarkers) return;
        // On curves that lie on each other the marks of one stand between those of the other.
        int every = Form == SeriesForm.Curve ? Math.Max(1, (places.Length + MostMarkers - 1) / MostMarkers) : 1;
        for (int i = index % every; i < places.Length; i += every)
        {
            if (double.IsFinite(places[i].Y) && double.IsFinite(places[i].X)) chart.Add(Palette.Marker(index, places[i].X, places[i].Y));
        }
    }

    private double Offset(int index) => Form == SeriesForm.Line ? (index - ((Series.Count - 1) / 2.0)) * Math.Min(Dodge, 24.0 / Series.Count) : 0;

    private static IEnumerable<(double, double)[]> Runs((double X, double Y)[] points)
    {
        int from = 0;
        while (from < points.Length)
        {
            (double, double)[] run = [.. points.Skip(from).TakeWhile(static point => double.IsFinite(point.Y))];
            from += run.Length + 1;
            if (run.Length > 0) yield return run;
        }
    }

    private static Point[] Thinned(IReadOnlyList<Point> points)
    {
        if (points.Count <= MostPoints) return [.. points];
        return [.. Enumerable.Range(0, MostPoints).Select(i =>
        {
            int from = (int)((long)i * points.Count / MostPoints);
            int to = (int)((long)(i + 1) * points.Count / MostPoints);
            // The last point has the last step, so that the axis ends with it.
            int at = i == MostPoints - 1 ? to - 1 : from;
            return new Point(points[at].X, Enumerable.Range(from, to - from).Average(k => points[k].Y));
        })];
    }
}
