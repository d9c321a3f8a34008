using System.Diagnostics;
using NativeVaccine.Engine;
using NativeVaccine.TorchReference;
using static System.FormattableString;

namespace NativeVaccine.Benchmarks.Comparisons;

/// <summary>A training step of the engine against the same step on TorchSharp, in turns in one process.</summary>
internal static class TrainingStepComparison
{
    private const double LossTolerance = 1e-4;
    private const int FewestRounds = 11;
    private const string WaitPolicy = "OMP_WAIT_POLICY";
    private static readonly TimeSpan Time = TimeSpan.FromSeconds(10);

    public static void Run(ComparisonOptions options)
    {
        if (Environment.GetEnvironmentVariable(WaitPolicy) is null)
        {
            RunWithSleepingThreads(options);
            return;
        }
        TrainingCase[] cases = [.. Cases().Where(each => options.Wants(each.Name))];
        if (cases.Length == 0) throw new InputException($"--only {options.Only}: no case has that in its name");
        var page = new Page("Training step against TorchSharp", options.Command);
        page.Say(
            $"Forward, backward, clipping and AdamW in float32 with {TrainingCase.Threads} threads each; TorchSharp as an ordinary user "
            + "writes it: `PaddedTrainingStep` in tests/NativeVaccine.TorchReference (padded batch, its attention kernel, its AdamW). Both "
            + "start from the same numbers and step in turns, A B A B. Times are medians; the ratio is that of each pair, its median and "
            + $"middle half. Tokens are real ones. {WaitPolicy} is {Environment.GetEnvironmentVariable(WaitPolicy)}.");
        page.Table(
            "case", "tokens (padded)", "ours, ms", "TorchSharp, ms", "TorchSharp / ours", "ours, tokens/s", "TorchSharp, tokens/s",
            "first loss", "difference", "steps", "difference of the last loss");
        using Device device = Device.Open(threads: TrainingCase.Threads);
        foreach (TrainingCase training in cases) Compare(device, training, page);
        page.EndTable();
        page.Say(
            "Differences of losses are relative. The first must be below 1e-4, or there is no page; over many steps two float32 "
            + $"implementations drift apart. TorchSharp {typeof(TorchSharp.torch).Assembly.GetName().Version!.ToString(3)}, "
            + $"libtorch {TorchSharp.torch.__version__}.");
        page.Print();
    }

    public static IEnumerable<TrainingCase> Cases()
    {
        foreach (BenchmarkShape shape in new[] { BenchmarkShape.Small, BenchmarkShape.Large })
        {
            TrainingBatch[] batches = shape == BenchmarkShape.Small
                ? [TrainingBatch.Equal(shape, 16, 48), TrainingBatch.Unequal(shape, 16, 12, 96), TrainingBatch.Answers(shape, 16, 12, 96)]
                : [TrainingBatch.Equal(shape, 4, 128), TrainingBatch.Unequal(shape, 4, 24, 192), TrainingBatch.Answers(shape, 4, 24, 192)];
            foreach (Trained trained in Enum.GetValues<Trained>())
            {
                foreach (TrainingBatch batch in batches) yield return new TrainingCase(shape, trained, batch);
            }
        }
    }

    /// <summary>
    /// Runs the comparison in a process whose idle OpenMP threads sleep; libgomp reads that once, when it is loaded. By default torch's
    /// threads spin: wherever something else wants a processor, our own turn included, both sides lose by it, and torch most.
    /// </summary>
    private static void RunWithSleepingThreads(ComparisonOptions options)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!, options.Arguments);
        start.Environment[WaitPolicy] = "passive";
        using Process child = Process.Start(start)!;
        child.WaitForExit();
        if (child.ExitCode != 0) throw new InputException(Invariant($"{options.Verb}: the process ended with {child.ExitCode}"));
    }

    private static void Compare(Device device, TrainingCase training, Page page)
    {
        using EngineTraining engine = training.CreateEngine(device);
        using PaddedTrainingStep torch = training.CreateTorch();
        IReadOnlyList<ReferenceSample> torchBatch = training.Batch.ReferenceSamples;
        var ours = new List<double>();
        var theirs = new List<double>();
        double[][] seconds = Timing.Interleaved(
            Time, FewestRounds, () => ours.Add(engine.Step()), () => theirs.Add(torch.Step(torchBatch)));

        if (TorchThreads.Count != TrainingCase.Threads)
            throw new InputException(Invariant($"torch computes with {TorchThreads.Count} threads; expected {TrainingCase.Threads}"));
        double difference = Difference(ours[0], theirs[0]);
        if (!(difference <= LossTolerance))
            throw new InputException(Invariant($"{training.Name}: the first loss is {ours[0]}; expected TorchSharp's {theirs[0]}"));
        double[] ratios = [.. seconds[0].Zip(seconds[1], static (own, other) => other / own)];
        (double own, double other) = (Timing.Median(seconds[0]), Timing.Median(seconds[1]));
        int tokens = training.Batch.TokenCount;
        page.Row(
            training.Name,
            Invariant($"{tokens} ({training.Batch.PaddedCount})"),
            Invariant($"{own * 1e3:F1}"),
            Invariant($"{other * 1e3:F1}"),
            Invariant($"**{Timing.Median(ratios):F2}** ({Timing.Quantile(ratios, 0.25):F2}-{Timing.Quantile(ratios, 0.75):F2})"),
            Invariant($"{tokens / own:F0}"),
            Invariant($"{tokens / other:F0}"),
            Invariant($"{ours[0]:F5}"),
            Invariant($"{difference:E1}"),
            Invariant($"{ours.Count}"),
            Invariant($"{Difference(ours[^1], theirs[^1]):E1}"));
    }

    private static double Difference(double value, double reference) => Math.Abs(value - reference) / Math.Abs(reference);
}
