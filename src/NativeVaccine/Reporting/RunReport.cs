using System.Xml.Linq;
using NativeVaccine.IO;
using NativeVaccine.Methods;
using NativeVaccine.Training;
using static NativeVaccine.Reporting.NumberText;

namespace NativeVaccine.Reporting;

/// <summary>
/// The report.html of a run: one page without anything from outside, made of the folder's config.json, plan.json, metrics.jsonl and
/// tamper.jsonl, so that it can be made again at any time.
/// </summary>
public static class RunReport
{
    /// <summary>Name of the page in the folder of a run.</summary>
    public const string FileName = "report.html";

    private const double MiB = 1 << 20;

    /// <summary>Writes the page into the folder.</summary>
    /// <param name="folder">The folder of a run.</param>
    /// <returns>The path of the page.</returns>
    /// <exception cref="InputException">A file of the run is missing or broken, or the page cannot be written.</exception>
    public static string Write(string folder)
    {
        string file = Path.Combine(folder, FileName);
        AtomicFile.WriteAllText(file, Of(folder).Html);
        return file;
    }

    /// <summary>Makes the page.</summary>
    /// <param name="folder">The folder of a run.</param>
    /// <exception cref="InputException">A file of the run is missing or broken.</exception>
    public static ReportPage Of(string folder)
    {
        var run = ReportedRun.Read(folder);
        return Page.Of(run.Title, run.State, [Page.Boxes(FinalNumbers(run)), Page.Facts(Facts(run)), BeforeAndAfter(run)], RunFigures.Of(run));
    }

    /// <summary>What is known of a run's options, by what people call them.</summary>
    internal static IEnumerable<(string Name, string? Value)> Facts(ReportedRun run)
    {
        TrainingOptions options = run.Options;
        yield return ("method", Say($"{options.Method}, preset {options.Preset.ToString().ToLowerInvariant()}{MethodSettings(options)}"));
        yield return ("model", options.Model);
        yield return ("merged adapters", string.Join(", ", options.Adapter));
        yield return ("data", options.Data);
        foreach ((PoolOption pool, string file) in options.PoolFiles()) yield return (pool.Name.Replace('_', ' '), file);
        yield return ("trained", options.Full
            ? "all parameters"
            : Say($"LoRA of rank {options.LoraRank}, alpha {options.LoraAlpha}, dropout {options.Dropout}, on {string.Join(", ", options.LoraTargets)}"));
        yield return ("started from", options.InitAdapter);
        yield return (
            "learning rate",
            Say($"{Number(options.LearningRate)}, {options.Schedule.ToString().ToLowerInvariant()}, warm-up over {options.WarmupRatio:P0} of the steps"));
        yield return (
            "optimizer",
            Say($"AdamW, weight decay {options.WeightDecay}, gradients clipped at {(options.Clip > 0 ? Number(options.Clip) : "no norm")}"));
        yield return (
            "batches",
            Say($"{options.Batch} samples of up to {options.MaxLength} tokens, {options.Accumulate} a step, {Count(options.Epochs, "epoch")}, seed {options.Seed}"));
        yield return ("device", Say($"{options.Device}, weights {options.Precision.ToString().ToLowerInvariant()}"));
        yield return ("memory", Memory(run));
        yield return ("time", Time(run));
        foreach ((string name, string version) in options.Versions) yield return (name, version);
    }

    /// <summary>What a reader looks for first.</summary>
    private static List<(string, string)> FinalNumbers(ReportedRun run)
    {
        var numbers = new List<(string, string)>();
        void Add(string name, double value, Func<double, string> write)
        {
            if (double.IsFinite(value)) numbers.Add((name, write(value)));
        }
        if (run.Steps.Count == 0) return numbers;
        Add(run.LastLosses == 1 ? "loss of the last step" : Say($"loss, mean of the last {run.LastLosses} steps"), run.LastLoss, static loss => Say($"{loss:F4}"));
        Add("loss of the first step", run.Losses.FirstOrDefault(double.NaN), static loss => Say($"{loss:F4}"));
        Add("gradient norm of the last step", run.Steps[^1].GradientNorm, static norm => Rounded(norm));
        Add("seconds a step (median)", run.MedianSeconds, static seconds => Rounded(seconds, 3));
        if (run.Scored is [.., var last])
        {
            Add(Say($"harmful score after {Count(last.Step, "step")}"), last.Verdicts!.HarmfulScore, static score => Say($"{score:F1} %"));
            numbers.Add(("steps until half are answered", TamperCurve.StepsToHalf(run.Looks) is { } steps ? Rounded(steps, 3) : Say($"not within {last.Step}")));
        }
        return numbers;
    }

    private static string MethodSettings(TrainingOptions options) => string.Concat(
        MethodCatalog.Require(options.Method).Options
            .Where(static option => option is not PoolOption)
            .Select(option => options.Settings.Find(option) is { } value ? $", {option.Name.Replace('_', ' ')} {option.Write(value)}" : ""));

    private static string? Memory(ReportedRun run)
    {
        if (!double.IsFinite(run.PeakBytes)) return null;
        string used = Say($"{run.PeakBytes / MiB:F1} MiB at most on the device");
        return run.Plan is { } plan ? Say($"{used}, {plan.MemoryBytes / MiB:F1} MiB planned ({run.PeakBytes / plan.MemoryBytes:P1})") : used;
    }

    private static string? Time(ReportedRun run)
    {
        double[] seconds = run.StepSeconds;
        if (seconds.Length == 0) return null;
        double tokens = run.Steps.Where(static step => double.IsFinite(step.Seconds + step.Tokens)).Sum(static step => step.Tokens);
        double all = seconds.Sum();
        return Say($"{all:F1} s in steps, median {run.MedianSeconds * 1e3:F1} ms a step, {tokens / Math.Max(all, 1e-9):F0} tokens/s");
    }

    /// <summary>How the model answered at the first and at the last look; null where there are not two.</summary>
    private static XElement? BeforeAndAfter(ReportedRun run)
    {
        if (run.Scored is not [var first, .., var last]) return null;
        TamperVerdicts before = first.Verdicts!;
        TamperVerdicts after = last.Verdicts!;
        XElement[] Row(string name, int from, int to)
        {
            (double was, double now) = (100.0 * from / before.Count, 100.0 * to / after.Count);
            return
            [
                Page.Cell(name), Page.Cell(Say($"{was:F1} %"), below: Say($"{from} of {before.Count}")), Page.Cell(Say($"{now:F1} %"), below: Say($"{to} of {after.Count}")),
                Page.Cell(Say($"{now - was:+0.0;-0.0;0.0} points")),
            ];
        }
        return Page.Section(
            "Before and after", "Answers to the fixed harmful prompts at the first and the last look. Answered ones are the harmful score.",
            Page.Grid(
                ["", first.Step == 0 ? "before" : $"after {Count(first.Step, "step")}", $"after {Count(last.Step, "step")}", "change"],
                [Row("answered", before.Answered, after.Answered), Row("refused", before.Refused, after.Refused), Row("degenerate", before.Degenerate, after.Degenerate)],
                names: 1));
    }
}
