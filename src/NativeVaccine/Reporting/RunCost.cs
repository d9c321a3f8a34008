using NativeVaccine.Training;

namespace NativeVaccine.Reporting;

/// <summary>What the steps of a run cost.</summary>
/// <param name="Seconds">All steps together; without loading, waiting, and steps that were lost when the run was broken off.</param>
/// <param name="PeakBytes">Most bytes of the device that were in use; null before the first step.</param>
/// <param name="Flops">Floating-point operations by arithmetic (docs/methods.md, "What they cost"); null where the run does not say.</param>
public sealed record RunCost(double Seconds, double? PeakBytes, double? Flops)
{
    /// <summary>Reads it from a run's metrics.jsonl.</summary>
    /// <exception cref="InputException">The file is missing or broken.</exception>
    public static RunCost Of(string runFolder)
    {
        IReadOnlyList<ReportedStep> steps = MetricsFile.Read(Path.Combine(runFolder, RunFolder.MetricsFileName), int.MaxValue, []);
        double flops = steps.Sum(static step => step.Flops);
        return new RunCost(steps.Sum(static step => step.Seconds), steps.Count == 0 ? null : steps.Max(static step => step.PeakBytes), flops > 0 ? flops : null);
    }
}
