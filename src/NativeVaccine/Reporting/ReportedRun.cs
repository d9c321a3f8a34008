using NativeVaccine.Methods;
using NativeVaccine.Training;

namespace NativeVaccine.Reporting;

/// <summary>What the folder of a run holds that a page shows.</summary>
internal sealed record ReportedRun
{
    /// <summary>The folder.</summary>
    public required string Folder { get; init; }

    /// <summary>Its options.</summary>
    public required TrainingOptions Options { get; init; }

    /// <summary>The steps done.</summary>
    public required IReadOnlyList<ReportedStep> Steps { get; init; }

    /// <summary>Looks at the model on the way; empty where there were none.</summary>
    public IReadOnlyList<TamperLook> Looks { get; init; } = [];

    /// <summary>What was planned; null where the folder does not say.</summary>
    public PlanRecord? Plan { get; init; }

    /// <summary>Whether the run is complete.</summary>
    public bool HasResult { get; init; }

    /// <summary>The metrics of its method that are drawn.</summary>
    public IReadOnlyList<MethodMetric> Metrics => MethodCatalog.Require(Options.Method).Metrics;

    /// <summary>"tvaccine: align of llama".</summary>
    public string Title => $"{Options.Method}: {Options.Stage.ToString().ToLowerInvariant()} of {Path.GetFileName(Options.Model ?? "a model")}";

    /// <summary>How far it came, in a sentence.</summary>
    public string State
    {
        get
        {
            if (Steps.Count == 0) return "No step was taken.";
            int done = Steps[^1].Step + 1;
            if (HasResult) return $"Complete: {NumberText.Count(done, "step")}.";
            return Plan is { } plan
                ? NumberText.Say($"Stopped after {done} of {NumberText.Count(plan.Steps, "step")}.")
                : $"Not complete: {NumberText.Count(done, "step")} so far.";
        }
    }

    /// <summary>Seconds of the steps, ascending.</summary>
    public double[] StepSeconds => [.. Steps.Select(static step => step.Seconds).Where(double.IsFinite).Order()];

    /// <summary>The median of them; NaN where there are none.</summary>
    public double MedianSeconds => StepSeconds is { Length: > 0 } seconds ? seconds[seconds.Length / 2] : double.NaN;

    /// <summary>Most bytes of the device in use; NaN where no step says.</summary>
    public double PeakBytes => Steps.Select(static step => step.PeakBytes).Where(double.IsFinite).DefaultIfEmpty(double.NaN).Max();

    /// <summary>Losses that are finite.</summary>
    public double[] Losses => [.. Steps.Select(static step => step.Loss).Where(double.IsFinite)];

    /// <summary>Steps over which <see cref="LastLoss"/> is the mean: a single batch's loss says little, the last tenth of the run says more.</summary>
    public int LastLosses => Math.Max(1, Losses.Length / 10);

    /// <summary>Mean loss of the last steps; NaN where there is none.</summary>
    public double LastLoss => Losses is { Length: > 0 } losses ? losses[^LastLosses..].Average() : double.NaN;

    /// <summary>Looks with a score.</summary>
    public IReadOnlyList<TamperLook> Scored => [.. Looks.Where(static look => look.Verdicts is not null)];

    /// <summary>The harmful score over the steps, as a series.</summary>
    public Series TamperSeries(string name) =>
        new(name, [.. Scored.Select(static look => new Point(look.Step, look.Verdicts!.HarmfulScore))]);

    /// <summary>A number over the steps, as a series.</summary>
    public Series SeriesOf(string name, Func<ReportedStep, double> value) => new(name, [.. Steps.Select(step => new Point(step.Step, value(step)))]);

    /// <summary>Whether some step has a number of the method.</summary>
    public bool Has(MethodMetric metric) => metric.Kind == MetricKind.Number
        ? Steps.Any(step => double.IsFinite(step.Numbers.GetValueOrDefault(metric.Name, double.NaN)))
        : Steps.Any(step => step.Layers.ContainsKey(metric.Name));

    /// <summary>Reads a folder.</summary>
    /// <exception cref="InputException">It is no run's, or one of its files is broken.</exception>
    public static ReportedRun Read(string folder)
    {
        TrainingOptions options = RunFolder.ReadOptions(folder);
        var plan = PlanRecord.Find(folder);
        string looks = Path.Combine(folder, TamperFile.FileName);
        return new ReportedRun
        {
            Folder = folder,
            Options = options,
            Plan = plan,
            Steps = MetricsFile.Read(
                Path.Combine(folder, RunFolder.MetricsFileName), plan?.Layers ?? PlanRecord.MostLayers, MethodCatalog.Require(options.Method).Metrics),
            Looks = File.Exists(looks) ? TamperFile.Read(looks) : [],
            HasResult = Directory.Exists(RunFolder.ResultOf(folder, options.Full)),
        };
    }
}
