using System.Globalization;
using System.Xml.Linq;
using NativeVaccine.IO;
using static NativeVaccine.Reporting.NumberText;

namespace NativeVaccine.Reporting;

/// <summary>The page of an experiment, made of its folder's results.json and the tamper.jsonl of its attacks.</summary>
public static class ExperimentReport
{
    /// <summary>More cells than these are counted, not named.</summary>
    private const int MostNamed = 50;

    /// <summary>A column of the table: the number, its head, and what it is shown in.</summary>
    private static readonly (string Number, string Head, Func<double, DisplayUnit>? Unit)[] Columns =
    [
        (ExperimentNumbers.HarmfulScoreBefore, "harmful score before (%)", null), (ExperimentNumbers.HarmfulScore, "harmful score after (%)", null),
        (ExperimentNumbers.StepsToHalf, "steps until half are answered", null), (ExperimentNumbers.Refused, "refused (%)", null),
        (ExperimentNumbers.Answered, "answered (%)", null), (ExperimentNumbers.Degenerate, "degenerate (%)", null),
        (ExperimentNumbers.AccuracyBefore, "accuracy before (%)", null), (ExperimentNumbers.Accuracy, "finetune accuracy (%)", null),
        (ExperimentNumbers.CapabilityBefore, "capability before (%)", null), (ExperimentNumbers.Capability, "capability (%)", null),
        (ExperimentNumbers.AlignSeconds, "alignment", DisplayUnit.OfSeconds), (ExperimentNumbers.AttackSeconds, "attack", DisplayUnit.OfSeconds),
        (ExperimentNumbers.PeakBytes, "memory", DisplayUnit.OfBytes), (ExperimentNumbers.AlignFlops, "alignment", DisplayUnit.OfFlops),
    ];

    /// <summary>Writes the page into the folder, as report.html.</summary>
    /// <param name="folder">The folder of an experiment.</param>
    /// <returns>The path of the page.</returns>
    /// <exception cref="InputException">results.json is missing or broken, or the page cannot be written.</exception>
    public static string Write(string folder)
    {
        string file = Path.Combine(folder, RunReport.FileName);
        AtomicFile.WriteAllText(file, Of(folder).Html);
        return file;
    }

    /// <summary>Makes the page.</summary>
    /// <param name="folder">The folder of an experiment.</param>
    /// <exception cref="InputException">results.json is missing or broken.</exception>
    public static ReportPage Of(string folder)
    {
        var results = ExperimentResults.Read(Path.Combine(folder, ExperimentResults.FileName));
        var figures = new ExperimentFigures(results, folder);
        return Page.Of(
            results.Name, State(results), [Table(results), Differences(results), Unfinished(results), Problems(figures.Problems)], figures.Figures);
    }

    private static string State(ExperimentResults results)
    {
        int Of(CellState state) => results.Cells.Count(cell => cell.State == state);
        string axes = string.Join(", ", results.Axes.Select(static axis => axis.Replace('_', ' ')));
        string[] parts =
        [
            .. new[] { (CellState.Failed, "failed"), (CellState.Running, "running"), (CellState.Waiting, "not begun") }
                .Where(part => Of(part.Item1) > 0).Select(part => Say($"{Of(part.Item1)} {part.Item2}")),
        ];
        string cells = Count(results.Cells.Count, "cell");
        string done = parts.Length == 0 ? $"Complete: {cells}" : Say($"{Of(CellState.Done)} of {cells} done, {string.Join(", ", parts)}");
        return $"{done}, over {axes}.{(results.Plan is { } plan ? $" Plan: {plan}" : "")}";
    }

    private static XElement? Table(ExperimentResults results)
    {
        if (results.Table.Count == 0) return null;
        string[] axes = TableAxes(results);
        List<(string Number, string Head, double Size, int Decimals)> columns = ColumnsOf(results, results.Table.Select(static row => row.Numbers));
        IEnumerable<IReadOnlyList<XElement?>> rows = results.Table.Select(row => (IReadOnlyList<XElement?>)
        [
            .. axes.Select(axis => Page.Cell(ExperimentGrid.Text(row.Settings, axis))),
            Page.Cell(Say($"{row.Seeds}"), below: row.Failed > 0 ? Say($"{row.Failed} failed") : null),
            .. columns.Select(column => row.Numbers.TryGetValue(column.Number, out ExperimentMean? mean)
                ? MeanCell(mean, column.Size, column.Decimals, row.Seeds - row.Failed) : Page.Cell("-")),
        ]);
        return Page.Section(
            "Results", "Mean over the seeds; below it the 95 % interval of the mean, and how many seeds it is of where that is not all of them.",
            Page.Grid([.. axes.Select(static axis => axis.Replace('_', ' ')), "seeds", .. columns.Select(static column => column.Head)], rows, axes.Length));
    }

    private static XElement? Differences(ExperimentResults results)
    {
        ExperimentRow[] compared = [.. results.Table.Where(static row => row.Against is { Numbers.Count: > 0 })];
        if (compared.Length == 0) return null;
        string[] axes = TableAxes(results);
        List<(string Number, string Head, double Size, int Decimals)> columns = ColumnsOf(results, compared.Select(static row => row.Against!.Numbers));
        string[] baselines = [.. compared.Select(static row => row.Against!.Method).Distinct()];
        IEnumerable<IReadOnlyList<XElement?>> rows = compared.Select(row => (IReadOnlyList<XElement?>)
        [
            .. axes.Select(axis => Page.Cell(ExperimentGrid.Text(row.Settings, axis))),
            .. columns.Select(column => row.Against!.Numbers.TryGetValue(column.Number, out ExperimentMean? mean)
                ? MeanCell(mean, column.Size, column.Decimals, row.Seeds - row.Failed, isDifference: true) : Page.Cell("-")),
        ]);
        return Page.Section(
            $"Differences to {string.Join(", ", baselines)}",
            $"Seed by seed. Bold where the 95 % interval of the mean leaves out zero, over at least {ExperimentMean.SeedsToTell} seeds; "
                + "elsewhere no difference is shown.",
            Page.Grid([.. axes.Select(static axis => axis.Replace('_', ' ')), .. columns.Select(static column => column.Head)], rows, axes.Length));
    }

    /// <summary>The columns that some row has, in the units of the table; numbers of other names come last.</summary>
    private static List<(string Number, string Head, double Size, int Decimals)> ColumnsOf(
        ExperimentResults results, IEnumerable<IReadOnlyDictionary<string, ExperimentMean>> rows)
    {
        IReadOnlyDictionary<string, ExperimentMean>[] all = [.. rows];
        IEnumerable<(string Number, string Head, Func<double, DisplayUnit>? Unit)> others = all.SelectMany(static row => row.Keys).Distinct()
            .Where(static name => !Array.Exists(Columns, column => column.Number == name))
            .Select(static name => (name, name.Replace('_', ' '), (Func<double, DisplayUnit>?)null));
        var columns = new List<(string, string, double, int)>();
        foreach ((string number, string head, Func<double, DisplayUnit>? unitOf) in Columns.Concat(others))
        {
            double[] values = [.. all.Where(row => row.ContainsKey(number)).Select(row => Math.Abs(row[number].Mean))];
            if (values.Length == 0) continue;
            DisplayUnit? unit = unitOf?.Invoke(results.Table.Max(row => row.Numbers.TryGetValue(number, out ExperimentMean? mean) ? Math.Abs(mean.Mean) : 0));
            double size = unit?.Size ?? 1;
            int decimals = unit is null && values.Max() is >= 1 and < 1e4 ? 1 : Decimals(values.Max() / size, 3);
            columns.Add((number, unit is { } known ? $"{head} ({known.Name})" : head, size, decimals));
        }
        return columns;
    }

    private static XElement MeanCell(ExperimentMean mean, double size, int decimals, int seeds, bool isDifference = false)
    {
        string Write(double value) => (value / size).ToString((isDifference ? "+" : "") + "0." + new string('0', decimals)
            + (isDifference ? ";-0." + new string('0', decimals) + ";0." + new string('0', decimals) : ""), CultureInfo.InvariantCulture);
        string interval = mean is { Low: { } low, High: { } high } ? $"{Write(low)} to {Write(high)}" : "";
        string count = mean.Count == seeds ? "" : Say($"{mean.Count} of {Count(seeds, "seed")}");
        return Page.Cell(Write(mean.Mean), isDifference && mean.IsClear, interval, count);
    }

    /// <summary>The cells that have no numbers, and why.</summary>
    private static XElement? Unfinished(ExperimentResults results)
    {
        ExperimentCell[] cells = [.. results.Cells.Where(static cell => cell.State != CellState.Done).OrderByDescending(static cell => cell.State == CellState.Failed)];
        if (cells.Length == 0) return null;
        IEnumerable<string> lines = cells.Take(MostNamed).Select(cell =>
            $"{ExperimentGrid.Label(cell.Settings, results.Axes)}: {cell.State.ToString().ToLowerInvariant()}{(cell.Error is { } error ? $", {error}" : "")}");
        return Page.Section("Cells without numbers", "", List(cells.Length > MostNamed ? lines.Append(Say($"and {cells.Length - MostNamed} more")) : lines));
    }

    private static XElement? Problems(IReadOnlyList<string> problems) => problems.Count == 0 ? null : Page.Section("Not drawn", "", List(problems));

    private static XElement List(IEnumerable<string> lines) => new("ul", lines.Select(static line => new XElement("li", Page.Clean(line))));

    private static string[] TableAxes(ExperimentResults results) => [.. results.Axes.Where(static axis => axis != ExperimentResults.SeedAxis)];
}
