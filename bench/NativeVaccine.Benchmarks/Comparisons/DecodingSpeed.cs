using NativeVaccine.Engine;
using NativeVaccine.Models;
using static System.FormattableString;

namespace NativeVaccine.Benchmarks.Comparisons;

/// <summary>Tokens per second of greedy generation, by batch size, and how near the memory's speed it comes.</summary>
internal static class DecodingSpeed
{
    private const int PromptLength = 32;
    private const int LargestBatch = 32;
    private const int FewestRounds = 3;
    private static readonly TimeSpan Time = TimeSpan.FromSeconds(3);

    public static void Run(ComparisonOptions options)
    {
        var page = new Page("Decoding", options.Command);
        page.Say(
            $"Greedy, prompts of {PromptLength} tokens, {TrainingCase.Threads} threads. A run of one new token is the prompt's share; "
            + "what longer runs take beyond it is the decoding. GB/s: the weights, read once a step, which bounds small batches.");
        page.Table("case", "batch", "new tokens", "tokens/s", "ms a step", "weights, GB/s", "prompts, tokens/s");
        using Device device = Device.Open(threads: TrainingCase.Threads);
        (BenchmarkShape Shape, ElementType Type, int NewTokens)[] cases =
        [
            (BenchmarkShape.Small, ElementType.Float32, 128),
            (BenchmarkShape.Large, ElementType.Float32, 32),
            (BenchmarkShape.Large, ElementType.BFloat16, 32),
        ];
        foreach ((BenchmarkShape shape, ElementType type, int newTokens) in cases)
        {
            string name = $"{shape.Name}, {(type == ElementType.Float32 ? "fp32" : "bf16")}";
            if (options.Wants(name)) Measure(device, shape, type, newTokens, name, page);
        }
        page.EndTable();
        page.Print();
    }

    private static void Measure(Device device, BenchmarkShape shape, ElementType type, int newTokens, string name, Page page)
    {
        using MemoryPlan plan = MemoryPlan.Create(device, shape.Configuration, new SessionOptions
        {
            MaxTokens = LargestBatch * PromptLength,
            MaxSamples = LargestBatch,
            LongestSample = PromptLength,
            Training = false,
            Optimizers = 0,
            WeightType = type,
            DecodeSamples = LargestBatch,
            DecodeCapacity = PromptLength + newTokens,
        });
        using Session session = Session.Create(device, plan);
        session.Load(new RandomWeights());
        // The embedding is read by rows; where it is the head too, whole.
        ModelConfiguration model = shape.Configuration;
        long read = plan.ParameterCount - (model.TieWordEmbeddings ? 0 : (long)model.VocabularySize * model.HiddenSize);
        double bytes = read * (type == ElementType.Float32 ? 4.0 : 2.0);
        foreach (int batch in new[] { 1, 8, LargestBatch })
        {
            TrainingBatch samples = TrainingBatch.Equal(shape, batch, PromptLength);
            IReadOnlyList<int[]> prompts = [.. samples.Samples.Select(static sample => sample.InputIds)];
            void Generate(int count) => session.Decoder.Generate(prompts, new GenerationOptions { MaxNewTokens = count });
            double[][] seconds = Timing.Interleaved(Time, FewestRounds, () => Generate(1), () => Generate(newTokens));
            double prompt = Timing.Median(seconds[0]);
            double step = (Timing.Median(seconds[1]) - prompt) / (newTokens - 1);
            page.Row(
                name,
                Invariant($"{batch}"),
                Invariant($"{newTokens}"),
                Invariant($"**{batch / step:F0}**"),
                Invariant($"{step * 1e3:F2}"),
                Invariant($"{bytes / step * 1e-9:F1}"),
                Invariant($"{batch * PromptLength / prompt:F0}"));
        }
    }
}
