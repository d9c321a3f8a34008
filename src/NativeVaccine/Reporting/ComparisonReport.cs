using System.Text.Json.Nodes;
using System.Xml.Linq;
using NativeVaccine.Methods;
using NativeVaccine.Training;
using static NativeVaccine.Reporting.NumberText;

namespace NativeVaccine.Reporting;

/// <summary>The page that compares two runs: their curves over each other, their last numbers side by side, the options that differ.</summary>
public static class ComparisonReport
{
    /// <summary>Name of the page where none is given.</summary>
    public const string FileName = "comparison.html";

    /// <summary>Makes the page.</summary>
    /// <param name="folder">The folder of a run.</param>
    /// <param name="other">The folder of another.</param>
    /// <exception cref="InputException">A file of a run is missing or broken.</exception>
    public static ReportPage Of(string folder, string other)
    {
        ReportedRun[] runs = [ReportedRun.Read(folder), ReportedRun.Read(other)];
        string[] names = Names(folder, other);
        return Page.Of(
            $"{names[0]} and {names[1]}", string.Join(' ', runs.Zip(names, static (run, name) => $"{name}: {run.State}")),
            [FinalNumbers(runs, names), Options(runs, names)], [.. Figures(runs, names)]);
    }

    /// <summary>The names of the folders, with as many of those above them as tell the two apart.</summary>
    private static string[] Names(string folder, string other)
    {
        string[][] parts = [.. new[] { folder, other }.Select(
            static path => Path.GetFullPath(path).TrimEnd(Path.DirectorySeparatorChar).Split(Path.DirectorySeparatorChar))];
        int most = Math.Max(parts[0].Length, parts[1].Length);
        int count = 1;
        while (count < most && parts[0].TakeLast(count).SequenceEqual(parts[1].TakeLast(count))) count++;
        return [.. parts.Select(part => string.Join('/', part.TakeLast(count)))];
    }

    private static IEnumerable<Figure> Figures(ReportedRun[] runs, string[] names)
    {
        if (runs.Any(static run => run.Scored.Count > 0))
        {
            Figure? tamper = RunFigures.Tamper([.. runs.Select((run, i) => run.TamperSeries(run.Scored.Count > 0 ? names[i] : $"{names[i]} (no looks)"))]);
            if (tamper is not null) yield return tamper;
        }
        foreach ((string name, string heading, string note, string unit, Func<ReportedStep, double> value) in RunFigures.Curves)
        {
            if (runs.Any(run => run.Steps.Any(step => double.IsFinite(value(step)))))
                yield return RunFigures.Curve(name, heading, note, unit, [.. runs.Select((run, i) => run.SeriesOf(names[i], value))]);
        }
        IEnumerable<MethodMetric> metrics = runs.SelectMany(static run => run.Metrics.Where(metric => metric.Kind == MetricKind.Number && run.Has(metric)))
            .DistinctBy(static metric => metric.Name);
        foreach (MethodMetric metric in metrics)
        {
            yield return RunFigures.Metric(
                metric, runs, [.. runs.Select((run, i) => run.Metrics.Contains(metric) && run.Has(metric) ? names[i] : $"{names[i]} (has none)")]);
        }
    }

    private static XElement FinalNumbers(ReportedRun[] runs, string[] names)
    {
        var rows = new List<IReadOnlyList<XElement?>>();
        void Add(string name, Func<ReportedRun, double?> number, Func<double, string> write)
        {
            double?[] values = [.. runs.Select(number).Select(static value => value is { } known && double.IsFinite(known) ? value : null)];
            if (values.Any(static value => value is not null))
                rows.Add([Page.Cell(name), .. values.Select(value => Page.Cell(value is { } known ? write(known) : "-"))]);
        }
        Add("steps done", static run => run.Steps.Count, static count => Say($"{count}"));
        Add("loss of the first step", static run => run.Losses.FirstOrDefault(double.NaN), static loss => Say($"{loss:F4}"));
        Add("loss, mean of the last tenth", static run => run.LastLoss, static loss => Say($"{loss:F4}"));
        Add("gradient norm of the last step", static run => run.Steps is [.., var last] ? last.GradientNorm : null, static norm => Rounded(norm));
        Add("seconds a step (median)", static run => run.MedianSeconds, static seconds => Rounded(seconds, 3));
        Add("seconds in steps", static run => run.StepSeconds.Sum(), static seconds => Rounded(seconds));
        Add("bytes used at most", static run => run.PeakBytes, Bytes);
        Add("bytes planned", static run => run.Plan?.MemoryBytes, Bytes);
        Add("harmful score, first look", static run => run.Scored is [var first, ..] ? first.Verdicts!.HarmfulScore : null, static score => Say($"{score:F1} %"));
        Add("harmful score, last look", static run => run.Scored is [.., var last] ? last.Verdicts!.HarmfulScore : null, static score => Say($"{score:F1} %"));
        if (runs.Any(static run => run.Scored.Count > 0))
        {
            rows.Add([Page.Cell("steps until half are answered"), .. runs.Select(static run => Page.Cell(
                run.Scored.Count == 0 ? "-" : TamperCurve.StepsToHalf(run.Looks) is { } steps ? Rounded(steps, 3) : Say($"not within {run.Scored[^1].Step}")))]);
        }
        return Page.Section("Numbers", "One run of each: nothing here says how far chance alone would move them.", Page.Grid(["", .. names], rows, names: 1));
    }

    private static string Bytes(double bytes)
    {
        var unit = DisplayUnit.OfBytes(bytes);
        return $"{Rounded(bytes / unit.Size)} {unit.Name}";
    }

    /// <summary>The options that differ, by the names of config.json.</summary>
    private static XElement Options(ReportedRun[] runs, string[] names)
    {
        Dictionary<string, string>[] options = [.. runs.Select(static run => Written(run.Options))];
        string[] different = [.. options[0].Keys.Union(options[1].Keys).Where(name => options[0].GetValueOrDefault(name) != options[1].GetValueOrDefault(name))];
        return different.Length == 0
            ? Page.Section("Options that differ", "None.")
            : Page.Section("Options that differ", "", Page.Grid(
                ["", .. names],
                different.Select(name => (IReadOnlyList<XElement?>)
                    [Page.Cell(name), .. options.Select(values => Page.Cell(values.GetValueOrDefault(name, "-")))]),
                names: 3));
    }

    private static Dictionary<string, string> Written(TrainingOptions options)
    {
        JsonObject fields = TrainingOptionsJson.Fields(options with { Versions = new SortedDictionary<string, string>() });
        var written = fields.Where(static field => field.Key != "versions").ToDictionary(
            static field => field.Key.Replace('_', ' '),
            static field => field.Value is JsonArray list ? string.Join(", ", list) : $"{field.Value}",
            StringComparer.Ordinal);
        foreach ((string name, string version) in options.Versions.Where(static version => version.Key != "started")) written[$"version of {name}"] = version;
        return written;
    }
}
