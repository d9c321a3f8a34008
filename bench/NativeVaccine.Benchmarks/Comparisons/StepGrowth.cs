using NativeVaccine.Engine;
using static System.FormattableString;

namespace NativeVaccine.Benchmarks.Comparisons;

/// <summary>How the time of a training step grows with tokens, length of samples and layers.</summary>
internal static class StepGrowth
{
    private const int ShortSample = 64;
    private const int TokensForLayers = 512;
    private const int FewestRounds = 5;
    private static readonly TimeSpan Time = TimeSpan.FromSeconds(1.5);

    public static void Run(ComparisonOptions options)
    {
        var page = new Page("Growth of the training step", options.Command);
        page.Say(
            $"All weights train, {TrainingCase.Threads} threads, medians. All tokens are labelled. One sample of T tokens costs attention "
            + $"of order T^2 on top of what is linear; samples of {ShortSample} tokens do not.");
        using Device device = Device.Open(threads: TrainingCase.Threads);
        ByTokens(device, options, page);
        ByLayers(device, options, page);
        page.Print();
    }

    private static void ByTokens(Device device, ComparisonOptions options, Page page)
    {
        BenchmarkShape shape = BenchmarkShape.Small;
        page.Heading($"Tokens ({shape.Name}, {shape.Configuration.LayerCount} layers)");
        page.Table("T", "one sample, ms", "us/token", $"samples of {ShortSample}, ms", "us/token");
        for (int tokens = ShortSample; tokens <= 2048; tokens *= 2)
        {
            if (!options.Wants("tokens")) break;
            double one = Measure(device, shape, TrainingBatch.Equal(shape, 1, tokens));
            double many = Measure(device, shape, TrainingBatch.Equal(shape, tokens / ShortSample, ShortSample));
            page.Row(
                Invariant($"{tokens}"),
                Invariant($"{one * 1e3:F2}"),
                Invariant($"{one / tokens * 1e6:F1}"),
                Invariant($"{many * 1e3:F2}"),
                Invariant($"{many / tokens * 1e6:F1}"));
        }
        page.EndTable();
    }

    private static void ByLayers(Device device, ComparisonOptions options, Page page)
    {
        page.Heading($"Layers ({BenchmarkShape.Small.Name} otherwise, {TokensForLayers} tokens in samples of {ShortSample})");
        page.Table("L", "parameters, M", "ms", "ms more for each layer more");
        (int Layers, double Seconds) before = default;
        for (int layers = 1; layers <= 32; layers *= 2)
        {
            if (!options.Wants("layers")) break;
            BenchmarkShape shape = BenchmarkShape.Small.WithLayers(layers);
            double seconds = Measure(device, shape, TrainingBatch.Equal(shape, TokensForLayers / ShortSample, ShortSample));
            page.Row(
                Invariant($"{layers}"),
                Invariant($"{shape.Configuration.ParameterCount * 1e-6:F2}"),
                Invariant($"{seconds * 1e3:F2}"),
                before.Layers == 0 ? "" : Invariant($"{(seconds - before.Seconds) / (layers - before.Layers) * 1e3:F2}"));
            before = (layers, seconds);
        }
        page.EndTable();
    }

    private static double Measure(Device device, BenchmarkShape shape, TrainingBatch batch)
    {
        using EngineTraining engine = new TrainingCase(shape, Trained.AllWeights, batch).CreateEngine(device);
        return Timing.Median(Time, FewestRounds, () => engine.Step());
    }
}
