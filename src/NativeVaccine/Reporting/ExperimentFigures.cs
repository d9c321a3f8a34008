using NativeVaccine.Evaluation;
using static NativeVaccine.Reporting.NumberText;

namespace NativeVaccine.Reporting;

/// <summary>The charts of an experiment: those that there are numbers for.</summary>
internal sealed class ExperimentFigures
{
    /// <summary>More charts of one kind than these are named, not drawn.</summary>
    private const int MostPanels = 12;

    private readonly ExperimentResults results;
    private readonly string folder;
    private readonly ExperimentGrid grid;
    private readonly List<string> problems = [];

    /// <param name="results">The experiment.</param>
    /// <param name="folder">Its folder.</param>
    public ExperimentFigures(ExperimentResults results, string folder)
    {
        (this.results, this.folder) = (results, folder);
        grid = new ExperimentGrid(results);
        Figures =
        [
            .. Few(TamperCurves(), "tamper curves"), .. grid.Numeric.SelectMany(Against), .. Few(Tradeoffs(), "charts of accuracy against harmful score"),
            .. Costs(),
        ];
    }

    /// <summary>The charts.</summary>
    public IReadOnlyList<Figure> Figures { get; }

    /// <summary>What could not be drawn, a line each.</summary>
    public IReadOnlyList<string> Problems => problems;

    private List<T> Few<T>(IEnumerable<T> charts, string what)
    {
        List<T> all = [.. charts];
        if (all.Count <= MostPanels) return all;
        problems.Add(Say($"{MostPanels} of {all.Count} {what} are drawn."));
        return all[..MostPanels];
    }

    /// <summary>Mean over the seeds of the looks of the attacks, a chart for each setting but the method.</summary>
    private IEnumerable<Figure> TamperCurves()
    {
        var attacks = new List<(ExperimentCell Cell, IReadOnlyList<TamperLook> Looks)>();
        foreach (ExperimentCell cell in results.Cells.Where(static cell => cell is { State: CellState.Done, AttackRun: not null }))
        {
            string file = Path.Combine(folder, cell.AttackRun!, TamperFile.FileName);
            if (!File.Exists(file)) continue;
            try
            {
                attacks.Add((cell, TamperFile.Read(file)));
            }
            catch (InputException exception)
            {
                problems.Add($"Left out of the tamper curves: {exception.Message}");
            }
        }
        string? line = grid.LineAxis();
        int number = 0;
        foreach ((string label, var group) in grid.Panels(attacks, static attack => attack.Cell.Settings, line))
        {
            Series[] series = [.. grid.Lines(line).Select(name => MeanCurve(
                name, [.. group.Where(attack => ExperimentGrid.Line(attack.Cell.Settings, line) == name).Select(static attack => attack.Looks)]))];
            Figure? figure = RunFigures.Tamper(
                series, name: Say($"tamper-curve-{++number}"), heading: label.Length > 0 ? $"Tamper curve, {label}" : "Tamper curve",
                note: "Harmful score along the attack: mean over the seeds, with the 95 % interval of the mean as a band.");
            if (figure is not null) yield return figure;
        }
    }

    /// <summary>At the steps at which all of the attacks were looked at: a mean over other seeds at each step would be no curve.</summary>
    private static Series MeanCurve(string name, IReadOnlyList<IReadOnlyList<TamperLook>> attacks)
    {
        Dictionary<int, double>[] scores = [.. attacks
            .Select(static looks => looks.Where(static look => look.Verdicts is not null)
                .ToDictionary(static look => look.Step, static look => look.Verdicts!.HarmfulScore))
            .Where(static scores => scores.Count > 0)];
        if (scores.Length == 0) return new Series($"{name} (no looks)", []);
        IEnumerable<int> steps = scores[0].Keys.Where(step => scores.All(other => other.ContainsKey(step))).Order();
        return new Series(Say($"{name} ({Count(scores.Length, "seed")})"), [.. steps.Select(step =>
        {
            double[] values = [.. scores.Select(other => other[step])];
            return new Point(step, values.Average(), values.Length > 1 ? Bounds(Bootstrap.OfMean(values)) : null);
        })]);
    }

    /// <summary>What the attack did, against an axis of the grid.</summary>
    private IEnumerable<Figure> Against(string axis) =>
    [
        .. Against(
            axis, ExperimentNumbers.HarmfulScore, "Harmful score", "harmful score after the attack (%)", XyChart.Percent,
            "Mean over the seeds with its 95 % interval.", static _ => true),
        .. Against(
            axis, ExperimentNumbers.StepsToHalf, "Steps until half are answered", "attack steps", null,
            "Mean over the seeds with its 95 % interval, only where every seed came to it.",
            static row => row.Numbers[ExperimentNumbers.StepsToHalf].Count >= row.Seeds - row.Failed),
    ];

    private IEnumerable<Figure> Against(
        string axis, string number, string heading, string unit, (double, double)? range, string note, Func<ExperimentRow, bool> isWhole)
    {
        string? line = grid.LineAxis(axis);
        heading = $"{heading} against {axis.Replace('_', ' ')}";
        int count = 0;
        ExperimentRow[] known = [.. results.Table.Where(row => row.Numbers.ContainsKey(number) && isWhole(row))];
        foreach ((string label, var rows) in Few(grid.Panels(known, static row => row.Settings, axis, line), $"charts of {heading}"))
        {
            Series[] series = [.. grid.Lines(line).Select(name => new Series(name, [.. rows
                .Where(row => ExperimentGrid.Line(row.Settings, line) == name)
                .Select(row => new Point(ExperimentGrid.Shown(row.Settings, axis)!.Value, row.Numbers[number].Mean, Bounds(row.Numbers[number])))
                .OrderBy(static point => point.X)]))];
            if (rows.Count < 2) continue;
            string title = label.Length > 0 ? $"{heading}, {label}" : heading;
            var chart = new XyChart
            {
                Name = title,
                XTitle = ExperimentGrid.Title(axis),
                YTitle = unit,
                Series = Named(series),
                Form = SeriesForm.Line,
                YRange = range,
                IsFromZero = true,
            };
            yield return new Figure(Say($"{number}-against-{axis}-{++count}").Replace('_', '-'), title, note, chart.Draw());
        }
    }

    /// <summary>Finetune accuracy against harmful score, a point for each method.</summary>
    private IEnumerable<Figure> Tradeoffs()
    {
        string? line = grid.LineAxis();
        int count = 0;
        foreach ((string label, var rows) in grid.Panels(results.Table, static row => row.Settings, line))
        {
            Series[] series = [.. grid.Lines(line).Select(name => new Series(name, [.. rows
                .Where(row => ExperimentGrid.Line(row.Settings, line) == name)
                .Where(static row => row.Numbers.ContainsKey(ExperimentNumbers.HarmfulScore) && row.Numbers.ContainsKey(ExperimentNumbers.Accuracy))
                .Select(static row => (Harm: row.Numbers[ExperimentNumbers.HarmfulScore], Accuracy: row.Numbers[ExperimentNumbers.Accuracy]))
                .Select(static row => new Point(row.Harm.Mean, row.Accuracy.Mean, Bounds(row.Accuracy), Bounds(row.Harm)))]))];
            if (series.All(static one => one.Points.Count == 0)) continue;
            double least = series.SelectMany(static one => one.Points).Min(static point => point.YInterval?.Low ?? point.Y);
            string title = $"Finetune accuracy against harmful score{(label.Length > 0 ? $", {label}" : "")}";
            var chart = new XyChart
            {
                Name = title,
                XTitle = "harmful score (%)",
                YTitle = "finetune accuracy (%)",
                YRange = (Math.Floor(Math.Min(least, 99) / 10) * 10, 100), // no axis goes on above 100 %
                Series = Named(series),
                Form = SeriesForm.Points,
            };
            yield return new Figure(
                Say($"accuracy-against-harmful-score-{++count}"), title,
                "After the attack; means over the seeds with their 95 % intervals. Best is at the top left.", chart.Draw());
        }
    }

    /// <summary>What alignments and attacks cost. An alignment that several attacks share counts once.</summary>
    private IEnumerable<Figure> Costs()
    {
        ExperimentCell[] done = [.. results.Cells.Where(static cell => cell.State == CellState.Done)];
        IGrouping<string, ExperimentCell>[] alignments = [.. done.GroupBy(static cell => cell.AlignRun ?? cell.Id)];
        // An axis along which one alignment has several values is the attack's.
        string[] axes = [.. grid.Varying.Where(axis => alignments.All(
            cells => cells.Select(cell => ExperimentGrid.Text(cell.Settings, axis)).Distinct().Count() == 1))];
        ExperimentCell[] aligned = [.. alignments.Select(static cells => cells.First())];
        return new (string Number, string Heading, string What, Func<double, DisplayUnit> Unit, ExperimentCell[] Cells)[]
        {
            (ExperimentNumbers.AlignSeconds, "Time of an alignment", "time", DisplayUnit.OfSeconds, aligned),
            (ExperimentNumbers.PeakBytes, "Memory of an alignment", "memory", DisplayUnit.OfBytes, aligned),
            (ExperimentNumbers.AlignFlops, "Operations of an alignment", "floating-point operations", DisplayUnit.OfFlops, aligned),
            (ExperimentNumbers.AttackSeconds, "Time of an attack", "time", DisplayUnit.OfSeconds, done),
        }.Select(cost => Cost(cost.Number, cost.Heading, cost.What, cost.Unit, cost.Cells, axes)).OfType<Figure>();
    }

    private static Figure? Cost(string number, string heading, string axis, Func<double, DisplayUnit> unitOf, ExperimentCell[] cells, string[] axes)
    {
        (string Label, double[] Values)[] groups = [.. cells.Where(cell => cell.Numbers.GetValueOrDefault(number) is not null)
            .GroupBy(cell => ExperimentGrid.Label(cell.Settings, axes))
            .Select(group => (group.Key.Length > 0 ? group.Key : "all", (double[])[.. group.Select(cell => cell.Numbers[number]!.Value)]))];
        if (groups.Length == 0 || groups.Max(static group => group.Values.Average()) <= 0) return null;
        DisplayUnit unit = unitOf(groups.Max(static group => group.Values.Average()));
        Bar[] bars = [.. groups.Select(group => new Bar(
            group.Label, group.Values.Average() / unit.Size,
            group.Values.Distinct().Count() > 1 && Bootstrap.OfMean(group.Values) is var bounds ? (bounds.Low / unit.Size, bounds.High / unit.Size) : null))];
        string what = number == ExperimentNumbers.AttackSeconds ? "attack" : "alignment";
        string count = groups.Select(static group => group.Values.Length).Distinct().ToArray() is [var same]
            ? $"Mean of {Count(same, what)} each" : $"Mean of the {what}s";
        return new Figure(number.Replace('_', '-'), heading, $"{count}, with its 95 % interval where they differ.", BarChart.Named(heading, axis, unit.Name, bars));
    }

    /// <summary>A method without a number stays in the legend, so that the same look is the same method in all charts, and says so.</summary>
    private static Series[] Named(Series[] series) =>
        [.. series.Select(static one => one.Points.Count > 0 ? one : one with { Name = $"{one.Name} (no numbers)" })];

    private static (double, double)? Bounds(ExperimentMean mean) => mean is { Low: { } low, High: { } high } ? (low, high) : null;

    private static (double, double) Bounds(Interval interval) => (interval.Low, interval.High);
}
