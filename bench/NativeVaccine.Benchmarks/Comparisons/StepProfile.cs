using NativeVaccine.Engine;
using static System.FormattableString;

namespace NativeVaccine.Benchmarks.Comparisons;

/// <summary>Where the time of a training step goes: by pass, timed; by kind of work, sampled with Linux perf where there is one.</summary>
internal static class StepProfile
{
    private const int FewestRounds = 5;
    private static readonly TimeSpan Time = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan Sampled = TimeSpan.FromSeconds(6);

    public static void Run(ComparisonOptions options)
    {
        var page = new Page("Where the time of a training step goes", options.Command);
        IEnumerable<TrainingCase> cases = TrainingStepComparison.Cases()
            .Where(each => each.Batch.Name == "equal lengths" && options.Wants(each.Name));
        using Device device = Device.Open(threads: TrainingCase.Threads);
        var samples = new List<(TrainingCase Case, PerfSamples? Samples)>();
        page.Heading("By pass");
        page.Say(
            "Each part timed by itself within the step, medians. The update is the norm, clipping and AdamW; backward begins with zeroing "
            + "the gradients.");
        page.Table("case", "forward, ms", "backward, ms", "update, ms");
        foreach (TrainingCase training in cases)
        {
            using EngineTraining engine = training.CreateEngine(device);
            double[][] seconds = Timing.Interleaved(Time, FewestRounds, () => engine.Forward(), engine.Backward, () => engine.Update());
            page.Row([training.Name, .. seconds.Select(static part => Invariant($"{Timing.Median(part) * 1e3:F2}"))]);
            samples.Add((training, PerfSamples.Take(Sampled, () => engine.Step())));
        }
        page.EndTable();
        foreach ((TrainingCase training, PerfSamples? sampled) in samples) ByKind(training, sampled, page);
        page.Print();
    }

    private static void ByKind(TrainingCase training, PerfSamples? sampled, Page page)
    {
        page.Heading(training.Name);
        if (sampled is null)
        {
            page.Say("perf is not installed or not allowed here: no shares by kind of work.");
            return;
        }
        page.Say("Share of the processor time of all threads, waiting for each other included.");
        page.Table("kind of work", "share");
        foreach ((string kind, double share) in sampled.ByKind()) page.Row(kind, Invariant($"{share:F1} %"));
        page.EndTable();
        page.Table("function", "share");
        foreach ((string function, double share) in sampled.Largest(10)) page.Row($"`{function}`", Invariant($"{share:F1} %"));
        page.EndTable();
    }
}
