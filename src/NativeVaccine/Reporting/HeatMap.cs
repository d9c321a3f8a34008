using System.Xml.Linq;

namespace NativeVaccine.Reporting;

/// <summary>A row for each layer, the last on top, and a column for each step that has numbers; the fuller a cell, the larger its number.</summary>
internal sealed record HeatMap
{
    private const int MostColumns = 160;

    /// <summary>What a screen reader calls it.</summary>
    public required string Name { get; init; }

    /// <summary>Name and unit of the horizontal axis.</summary>
    public required string XTitle { get; init; }

    /// <summary>The columns: a number for each layer. A number that is not finite is drawn as a gap.</summary>
    public required IReadOnlyList<(int Step, IReadOnlyList<double> Layers)> Columns { get; init; }

    /// <summary>The number of a full cell.</summary>
    public required double Most { get; init; }

    /// <summary>The numbers of an empty and of a full cell, in words, for the scale below; null for none.</summary>
    public (string Least, string Most)? Scale { get; init; }

    /// <summary>The chart.</summary>
    public XElement Draw()
    {
        int layers = Columns.Max(static column => column.Layers.Count);
        double rowHeight = Math.Clamp(180.0 / layers, 5, 14);
        double bottom = Svg.Top + (layers * rowHeight);
        XElement chart = Svg.Chart(Name, bottom + Svg.Bottom + (Scale is null ? 0 : 26));
        double left = 18 + (Axis.CharacterWidth * $"{layers - 1}".Length);
        int count = Math.Min(Columns.Count, MostColumns);
        double width = (Svg.Right - left) / count;
        int labelled = Math.Max(1, (int)Math.Ceiling(14.0 / rowHeight));
        bool hasGaps = false;
        for (int layer = 0; layer < layers; layer++)
        {
            double y = Svg.Top + ((layers - 1 - layer) * rowHeight);
            if (layer % labelled == 0) chart.Add(Svg.Text("tick", left - 7, y + (rowHeight / 2) + 4, "end", $"{layer}"));
            foreach ((int from, int length, double opacity) in Runs(layer, count))
            {
                hasGaps |= double.IsNaN(opacity);
                XElement cell = Svg.Rect(double.IsNaN(opacity) ? "gap" : "cell s0", left + (from * width), y, length * width, rowHeight - 1);
                if (!double.IsNaN(opacity)) cell.Add(Svg.At("fill-opacity", opacity));
                chart.Add(cell);
            }
        }
        chart.Add(Svg.Line("axis", left, Svg.Top, left, bottom), Svg.Text("label", 4, 13, "start", "layer"));
        AddSteps(chart, left, bottom);
        if (Scale is var (least, most)) AddScale(chart, left, bottom + Svg.Bottom + 6, least, hasGaps ? $"{most}; grey: not finite" : most);
        return chart;
    }

    /// <summary>Columns are as wide as each other, whatever the steps between them.</summary>
    private void AddSteps(XElement chart, double left, double bottom)
    {
        chart.Add(Svg.Line("axis", left, bottom, Svg.Right, bottom), Svg.Text("label", (left + Svg.Right) / 2, bottom + 33, "middle", XTitle));
        double free = 0;
        int[] places = [.. Enumerable.Range(0, 5).Select(part => part * (Columns.Count - 1) / 4).Distinct()];
        foreach (int at in places)
        {
            double x = left + ((Svg.Right - left) * (at + 0.5) / Columns.Count);
            string name = NumberText.Number(Columns[at].Step);
            double half = name.Length * Axis.CharacterWidth / 2;
            bool isLast = x + half > Svg.Width - 2;
            chart.Add(Svg.Line("axis", x, bottom, x, bottom + 4));
            if (!isLast && x - half < free + 8) continue;
            chart.Add(Svg.Text("tick", isLast ? Svg.Width - 2 : x, bottom + 17, isLast ? "end" : "middle", name));
            free = x + half;
        }
    }

    private static void AddScale(XElement chart, double left, double y, string least, string most)
    {
        double x = left + (least.Length * Axis.CharacterWidth) + 8;
        chart.Add(Svg.Text("tick", left, y + 10, "start", least));
        for (int i = 0; i < 6; i++)
        {
            XElement cell = Svg.Rect("cell s0", x + (i * 16), y, 16, 12);
            cell.Add(Svg.At("fill-opacity", i / 5.0));
            chart.Add(cell);
        }
        chart.Add(Svg.Path("axis", Svg.Through([(x, y), (x + 96, y), (x + 96, y + 12), (x, y + 12)], isClosed: true), new XAttribute("fill", "none")));
        chart.Add(Svg.Text("tick", x + 104, y + 10, "start", most));
    }

    /// <summary>Cells of one row that look the same, as one; empty ones are left out, and NaN is a gap.</summary>
    private IEnumerable<(int From, int Length, double Opacity)> Runs(int layer, int count)
    {
        double[] opacities = [.. Enumerable.Range(0, count).Select(i =>
        {
            int from = (int)((long)i * Columns.Count / count);
            int to = Math.Max(from + 1, (int)((long)(i + 1) * Columns.Count / count));
            double mean = Enumerable.Range(from, to - from)
                .Average(column => layer < Columns[column].Layers.Count ? Columns[column].Layers[layer] : 0);
            return double.IsFinite(mean) ? Math.Round(Math.Clamp(mean / Most, 0, 1), 3) : double.NaN;
        })];
        for (int from = 0, length; from < count; from += length)
        {
            length = 1;
            while (from + length < count && opacities[from + length].Equals(opacities[from])) length++;
            if (opacities[from] is not 0) yield return (from, length, opacities[from]);
        }
    }
}
