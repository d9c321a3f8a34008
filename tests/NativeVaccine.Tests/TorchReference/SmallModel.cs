using NativeVaccine.TorchReference;

namespace NativeVaccine.Tests.TorchReference;

/// <summary>A model with everything the family knows (grouped heads, window, all biases), small enough for many runs.</summary>
internal static class SmallModel
{
    public static ReferenceConfiguration Configuration { get; } = new()
    {
        VocabularySize = 30,
        HiddenSize = 16,
        IntermediateSize = 20,
        LayerCount = 2,
        HeadCount = 2,
        KeyValueHeadCount = 1,
        HeadSize = 8,
        SlidingWindow = 4,
        AttentionInputBias = true,
        AttentionOutputBias = true,
        MlpBias = true,
        TiedEmbeddings = true,
    };

    public static ReferenceSample[] Batch { get; } =
    [
        new([3, 5, 7, 9, 11, 13, 15], [-100, -100, 7, 9, 11, 13, 15]),
        new([8], [8]),
        new([2, 4, 6], [2, 4, 6]),
    ];

    public static int Tokens { get; } = Batch.Sum(sample => sample.Ids.Length);

    public static Dictionary<string, ReferenceTensor> Weights { get; } = ReferenceWeights.Random(Configuration, seed: 1, deviation: 0.2);

    public static ReferenceLora Lora { get; } =
        ReferenceLora.Random(Configuration, rank: 2, alpha: 4, ReferenceConfiguration.Projections, seed: 2, deviation: 0.3);

    public static double[] Noise(int length, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, length).Select(_ => random.NextDouble() - 0.5)];
    }
}
