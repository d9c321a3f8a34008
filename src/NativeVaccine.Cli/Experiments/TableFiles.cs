using System.Globalization;
using System.Text;
using NativeVaccine.Cli.Output;
using NativeVaccine.IO;
using NativeVaccine.Reporting;
using Spectre.Console;

namespace NativeVaccine.Cli.Experiments;

/// <summary>The table of an experiment for people and spreadsheets: on the terminal, as Markdown and as CSV.</summary>
/// <param name="results">What was collected.</param>
internal sealed class TableFiles(ExperimentResults results)
{
    /// <summary>The columns of the short table: a number's name, its heading, how it is written, and what one unit of it is divided by.</summary>
    private static readonly (string Name, string Heading, string Format, double Unit)[] Columns =
    [
        (ExperimentNumbers.HarmfulScoreBefore, "harmful before", "F1", 1),
        (ExperimentNumbers.HarmfulScore, "harmful score", "F1", 1),
        (ExperimentNumbers.Refused, "refused", "F1", 1),
        (ExperimentNumbers.Degenerate, "degenerate", "F1", 1),
        (ExperimentNumbers.StepsToHalf, "steps to half", "F1", 1),
        (ExperimentNumbers.AccuracyBefore, "accuracy before", "F1", 1),
        (ExperimentNumbers.Accuracy, "finetune accuracy", "F1", 1),
        (ExperimentNumbers.CapabilityBefore, "capability before", "F1", 1),
        (ExperimentNumbers.Capability, "capability", "F1", 1),
        (ExperimentNumbers.AlignFlops, "align TFLOP", "G3", 1e12),
        (ExperimentNumbers.AlignSeconds, "align s", "F1", 1),
        (ExperimentNumbers.PeakBytes, "peak MiB", "F1", 1 << 20),
    ];

    /// <summary>The numbers whose differences to the baseline a reader wants to see.</summary>
    private static readonly string[] Compared = [ExperimentNumbers.HarmfulScore, ExperimentNumbers.StepsToHalf, ExperimentNumbers.Accuracy];

    private IEnumerable<string> SettingNames => results.Axes.Where(static axis => axis != Axis.Seed);

    /// <summary>Writes results.json, results.csv and results.md.</summary>
    /// <exception cref="InputException">One cannot be written.</exception>
    public void Save(ExperimentFolder folder)
    {
        results.Write(folder.Inside(ExperimentResults.FileName));
        AtomicFile.WriteAllText(folder.Inside("results.csv"), Csv());
        AtomicFile.WriteAllText(folder.Inside("results.md"), Markdown());
    }

    /// <summary>Draws the table.</summary>
    public void Write(Terminal terminal)
    {
        var table = new Table();
        foreach (string heading in Headings()) table.AddColumn(new TableColumn(Markup.Escape(heading)));
        foreach (ExperimentRow row in results.Table) table.AddRow([.. Fields(row, isShort: true).Select(Markup.Escape)]);
        terminal.Write(table);
        foreach (string line in Notes("Means over the seeds [95 % interval, bootstrap]")) terminal.WriteText(line);
    }

    /// <summary>One line for each cell: its settings and all of its numbers.</summary>
    private string Csv()
    {
        string[] numbers = [.. results.Cells.SelectMany(static cell => cell.Numbers.Keys).Distinct()];
        var text = new StringBuilder();
        Line([.. results.Axes, "state", .. numbers]);
        foreach (ExperimentCell cell in results.Cells)
        {
            Line([
                .. results.Axes.Select(axis => cell.Settings[axis]?.ToString() ?? ""),
                cell.State.ToString().ToLowerInvariant(),
                .. numbers.Select(name => cell.Numbers.GetValueOrDefault(name)?.ToString("R", CultureInfo.InvariantCulture) ?? "")]);
        }
        return text.ToString();

        void Line(IEnumerable<string> fields) => text.AppendJoin(',', fields.Select(CsvField)).Append('\n');
    }

    private string Markdown()
    {
        var text = new StringBuilder($"# {results.Name}\n\n");
        Line(Headings());
        Line(Headings().Select(static (_, i) => i == 0 ? "---" : "---:"));
        foreach (ExperimentRow row in results.Table) Line(Fields(row, isShort: false));
        text.Append('\n');
        foreach (string note in Notes("Mean ± standard deviation over the seeds [95 % interval of the mean, bootstrap]")) text.Append(note).Append("\n\n");
        return text.ToString();

        void Line(IEnumerable<string> fields) =>
            text.Append("| ").AppendJoin(" | ", fields.Select(static field => field.Replace("|", "\\|", StringComparison.Ordinal))).Append(" |\n");
    }

    private IEnumerable<string> Notes(string form)
    {
        yield return $"{form}; Δ: paired difference to {Baseline ?? "the baseline"}, seed by seed. Scores and accuracies are in percent.";
        int failed = results.Cells.Count(static cell => cell.State == CellState.Failed);
        int missing = results.Cells.Count(static cell => cell.State is CellState.Waiting or CellState.Running);
        if (failed + missing > 0)
            yield return string.Create(CultureInfo.InvariantCulture, $"Of {results.Cells.Count} cells {failed} failed and {missing} are not done: means are of the others.");
    }

    private string? Baseline => results.Table.Select(static row => row.Against?.Method).FirstOrDefault(static name => name is not null);

    private IEnumerable<(string Name, string Heading, string Format, double Unit)> Shown =>
        Columns.Where(column => results.Table.Any(row => row.Numbers.ContainsKey(column.Name)));

    private IEnumerable<string> Headings()
    {
        foreach (string name in SettingNames) yield return name.Replace('_', ' ');
        foreach ((string name, string heading, _, _) in Shown)
        {
            yield return heading;
            if (Compared.Contains(name) && Baseline is not null) yield return $"Δ {heading}";
        }
    }

    /// <param name="row">The row.</param>
    /// <param name="isShort">For a screen: no deviations, and intervals of the compared numbers only.</param>
    private IEnumerable<string> Fields(ExperimentRow row, bool isShort)
    {
        foreach (string name in SettingNames) yield return row.Settings[name]?.ToString() ?? "";
        foreach ((string name, _, string format, double unit) in Shown)
        {
            yield return Mean(row.Numbers.GetValueOrDefault(name), format, unit, row.Seeds - row.Failed, !isShort, !isShort || Compared.Contains(name));
            if (Compared.Contains(name) && Baseline is not null) yield return Difference(row.Against?.Numbers.GetValueOrDefault(name), format);
        }
    }

    /// <summary>With how many there are, where some have no such number: means of the others alone would mislead.</summary>
    private static string Mean(ExperimentMean? mean, string format, double unit, int seeds, bool withDeviation, bool withInterval)
    {
        if (mean is null) return "-";
        string text = Say(mean.Mean / unit, format);
        if (withDeviation && mean.Deviation is { } deviation) text += $" ± {Say(deviation / unit, format)}";
        if (withInterval && mean is { Low: { } low, High: { } high }) text += $" [{Say(low / unit, format)}, {Say(high / unit, format)}]";
        return mean.Count == seeds ? text : string.Create(CultureInfo.InvariantCulture, $"{text} ({mean.Count} of {seeds})");
    }

    private static string Difference(ExperimentMean? mean, string format) => mean switch
    {
        null => "",
        { Low: { } low, High: { } high } => $"{Signed(mean.Mean, format)} [{Signed(low, format)}, {Signed(high, format)}]",
        _ => Signed(mean.Mean, format),
    };

    private static string Signed(double value, string format) => value > 0 ? $"+{Say(value, format)}" : Say(value, format);

    private static string Say(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);

    private static string CsvField(string text) =>
        text.AsSpan().IndexOfAny(",\"\n\r") < 0 ? text : $"\"{text.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";
}
