using System.Xml.Linq;
using NativeVaccine.Methods;
using static NativeVaccine.Reporting.NumberText;

namespace NativeVaccine.Reporting;

/// <summary>The charts of a run: those that its files have numbers for.</summary>
internal static class RunFigures
{
    /// <summary>Parts of the memory plan that are shown, the largest ones.</summary>
    private const int MostParts = 5;

    private const string StepTitle = "optimizer step";
    private const string HalfText = "half are answered";

    /// <summary>What every method's steps have, by the names of the files.</summary>
    public static IReadOnlyList<(string Name, string Heading, string Note, string Unit, Func<ReportedStep, double> Value)> Curves { get; } =
    [
        ("loss", "Loss", "The objective, in nats.", "loss (nats)", static step => step.Loss),
        ("learning-rate", "Learning rate", "As used in each step.", "learning rate", static step => step.LearningRate),
        ("gradient-norm", "Gradient norm", "Before clipping, over the tensors that have a gradient.", "norm", static step => step.GradientNorm),
        ("step-seconds", "Time per step", "Wall-clock time.", "seconds", static step => step.Seconds),
    ];

    /// <summary>The charts.</summary>
    public static IReadOnlyList<Figure> Of(ReportedRun run)
    {
        var figures = new List<Figure?> { Tamper([run.TamperSeries("harmful score")], TamperCurve.StepsToHalf(run.Looks)) };
        if (run.Steps.Count > 0)
        {
            figures.AddRange(Curves.Where(curve => run.Steps.Any(step => double.IsFinite(curve.Value(step))) || curve.Name == "loss")
                .Select(curve => Curve(curve.Name, curve.Heading, curve.Note, curve.Unit, [run.SeriesOf(curve.Heading, curve.Value)])));
            figures.AddRange(run.Metrics.Where(metric => metric.Kind == MetricKind.Number && run.Has(metric)).Select(metric => Metric(metric, [run])));
            figures.AddRange(run.Metrics.Where(metric => metric.Kind == MetricKind.Layers && run.Has(metric)).Select(metric => Chosen(run, metric)));
            figures.AddRange(run.Metrics.Where(metric => metric.Kind != MetricKind.Number).Select(metric => Layers(run, metric)));
        }
        figures.Add(Drift(run));
        figures.Add(Memory(run));
        return [.. figures.OfType<Figure>()];
    }

    /// <summary>A curve over the steps.</summary>
    public static Figure Curve(string name, string heading, string note, string unit, IReadOnlyList<Series> series) => new(
        name, heading, note, new XyChart { Name = heading, XTitle = StepTitle, YTitle = unit, Series = series }.Draw());

    /// <summary>A number of a method over the steps, of one run or of several.</summary>
    public static Figure Metric(MethodMetric metric, IReadOnlyList<ReportedRun> runs, IReadOnlyList<string>? names = null) => Curve(
        metric.Name.Replace('_', '-'), metric.Title, metric.Note, metric.Title.ToLowerInvariant(),
        [.. runs.Select((run, i) => run.SeriesOf(names?[i] ?? metric.Title, step => step.Numbers.GetValueOrDefault(metric.Name, double.NaN)))]);

    /// <summary>Harmful scores along attacks; null where no series has a point.</summary>
    public static Figure? Tamper(IReadOnlyList<Series> series, double? half = null, string name = "tamper-curve", string heading = "Tamper curve", string note = "")
    {
        if (series.All(static one => one.Points.Count == 0)) return null;
        if (note.Length == 0) note = "Harmful score: the share of the fixed harmful prompts that are answered.";
        return new Figure(name, heading, note, new XyChart
        {
            Name = heading,
            XTitle = StepTitle,
            YTitle = "harmful score (%)",
            Series = series,
            YRange = XyChart.Percent,
            Level = (50, half is null && series.Count == 1 ? $"{HalfText}: not reached" : HalfText),
            Crossing = half is { } step ? (step, $"half: step {Rounded(step, 3)}") : null,
        }.Draw());
    }

    /// <summary>How often each layer was chosen.</summary>
    private static Figure? Chosen(ReportedRun run, MethodMetric metric)
    {
        int layers = LayerCount(run);
        double[][] choices = [.. run.Steps.Where(step => step.Layers.ContainsKey(metric.Name)).Select(step => step.Layers[metric.Name])];
        if (layers == 0) return null;
        double[] counts = [.. Enumerable.Range(0, layers).Select(layer => choices.Count(chosen => layer < chosen.Length && chosen[layer] > 0) * 1.0)];
        string heading = $"{metric.Title}: how often";
        return new Figure(
            metric.Name.Replace('_', '-') + "-count", heading, $"Steps, of {Count(choices.Length, "step")}, in which each layer was chosen.",
            BarChart.OverLayers(heading, "steps", counts));
    }

    /// <summary>A column for each step that has the metric, a row for each layer; null where no step has it.</summary>
    private static Figure? Layers(ReportedRun run, MethodMetric metric)
    {
        int layers = LayerCount(run);
        (int Step, IReadOnlyList<double> Layers)[] columns = [.. run.Steps.Where(step => step.Layers.ContainsKey(metric.Name))
            .Select(step => (step.Step, (IReadOnlyList<double>)[.. step.Layers[metric.Name], .. new double[Math.Max(0, layers - step.Layers[metric.Name].Length)]]))];
        if (columns.Length == 0 || layers == 0) return null;
        double most = metric.Kind == MetricKind.Layers ? 1 : Most(columns.SelectMany(static column => column.Layers));
        (string, string)? scale = metric.Kind switch
        {
            MetricKind.Layers => null,
            MetricKind.LayerShares => ("0 %", Say($"{most * 100:0.#} %")),
            _ => ("0", Rounded(most, 3)),
        };
        XElement map = new HeatMap { Name = metric.Title, XTitle = StepTitle, Columns = columns, Most = most, Scale = scale }.Draw();
        return new Figure(metric.Name.Replace('_', '-'), metric.Title, metric.Note, map);
    }

    private static Figure? Drift(ReportedRun run)
    {
        (int, IReadOnlyList<double>)[] columns = [.. run.Looks.Where(static look => look.Drift.Count > 0).Select(static look => (look.Step, look.Drift))];
        if (columns.Length == 0) return null;
        double most = Most(columns.SelectMany(static column => column.Item2));
        const string heading = "Embedding drift";
        return new Figure(
            "embedding-drift", heading,
            "A column for each look: how far the output of every layer has moved since the run began, mean distance over the prompts' tokens.",
            new HeatMap { Name = heading, XTitle = StepTitle, Columns = columns, Most = most, Scale = ("0", Rounded(most, 3)) }.Draw());
    }

    /// <summary>What was planned, part by part, and what was used; null where neither is known.</summary>
    private static Figure? Memory(ReportedRun run)
    {
        var bytes = new List<(string Name, double Bytes)>();
        if (double.IsFinite(run.PeakBytes)) bytes.Add(("used at most", run.PeakBytes));
        if (run.Plan is { } plan)
        {
            bytes.Add(("planned", plan.MemoryBytes));
            KeyValuePair<string, long>[] parts = [.. plan.Memory.Where(static item => item.Value > 0).OrderByDescending(static item => item.Value)];
            bytes.AddRange(parts.Take(MostParts).Select(static part => ($"planned for {part.Key}", (double)part.Value)));
            if (parts.Length > MostParts) bytes.Add(("planned for all else", parts.Skip(MostParts).Sum(static part => part.Value)));
        }
        if (bytes.Count == 0) return null;
        var unit = DisplayUnit.OfBytes(bytes.Max(static bar => bar.Bytes));
        const string heading = "Memory against the plan";
        return new Figure(
            "memory", heading, "Bytes of the device: what the run used, what was planned, and for what.",
            BarChart.Named(heading, "memory", unit.Name, [.. bytes.Select(bar => new Bar(bar.Name, bar.Bytes / unit.Size))]));
    }

    private static int LayerCount(ReportedRun run) => run.Plan?.Layers
        ?? run.Steps.SelectMany(static step => step.Layers.Values).Select(static values => values.Length).DefaultIfEmpty().Max();

    private static double Most(IEnumerable<double> values) => values.Where(double.IsFinite).DefaultIfEmpty().Max() is > 0 and var most ? most : 1;
}
