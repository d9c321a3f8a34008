using NativeVaccine.TorchReference;

namespace NativeVaccine.Tests.Engine.TorchComparison;

/// <summary>A random small model, what trains in it, and a batch: one row of the table that engine and reference are compared on.</summary>
internal sealed record ComparisonCase
{
    private const int Vocabulary = 29;
    private const int Skip = ReferenceSample.Ignored;

    /// <summary>Plain multi-head attention; the shapes are no multiples of a vector's length.</summary>
    private static readonly ReferenceConfiguration Plain = new()
    {
        VocabularySize = Vocabulary,
        HiddenSize = 20,
        IntermediateSize = 27,
        LayerCount = 3,
        HeadCount = 3,
        KeyValueHeadCount = 3,
        HeadSize = 6, // heads together are narrower than the residual stream
    };

    private static readonly ReferenceConfiguration Grouped = Plain with
    {
        HiddenSize = 24,
        HeadCount = 4,
        KeyValueHeadCount = 2,
        HeadSize = 8,
    };

    private static readonly ReferenceConfiguration AllBiases = Grouped with
    {
        AttentionInputBias = true,
        AttentionOutputBias = true,
        MlpBias = true,
    };

    private static readonly ReferenceConfiguration Llama3Rope = Grouped with
    {
        RopeTheta = 100,
        RopeScaling = ReferenceRopeScaling.Llama3,
        RopeFactor = 4,
        RopeLowFrequencyFactor = 1,
        RopeHighFrequencyFactor = 3,
        RopeOriginalLength = 16, // keeps one frequency of four, blends one, divides two
    };

    private static readonly ReferenceSample[] Mixed =
    [
        Sample(7, length: 9, prompt: 4),
        Sample(8, length: 1, prompt: 0),
        Sample(9, length: 14, prompt: 0),
        Sample(10, length: 5, prompt: 5), // no labels
        new([3, 3, 28, 0], [Skip, 3, Skip, 0]),
    ];

    /// <summary>The table.</summary>
    public static IReadOnlyDictionary<string, ComparisonCase> All { get; } = new Dictionary<string, ComparisonCase>
    {
        ["multi-head, rank 8"] = new() { Model = Plain, Rank = 8 },
        ["grouped heads, rank 3"] = new() { Model = Grouped, Rank = 3 },
        ["grouped heads, dropout, recomputed"] = new() { Model = Grouped, Rank = 3, Dropout = 0.1f, RecomputedLayers = 3 },
        ["one kv head, rank 1 on q and v"] = new()
        {
            Model = Grouped with { KeyValueHeadCount = 1 },
            Rank = 1,
            Targets = ["q_proj", "v_proj"],
        },
        ["tied, half dropped out on o and down"] = new()
        {
            Model = Grouped with { TiedEmbeddings = true },
            Rank = 8,
            Targets = ["o_proj", "down_proj"],
            Dropout = 0.5f,
        },
        ["q, k, v biases, rank 8 on k"] = new() { Model = Grouped with { AttentionInputBias = true }, Rank = 8, Targets = ["k_proj"] },
        ["all biases, rank 3 on the MLP, partly recomputed"] = new()
        {
            Model = AllBiases,
            Rank = 3,
            Targets = ["gate_proj", "up_proj", "down_proj"],
            RecomputedLayers = 2,
        },
        ["linear rope, one long sample"] = new()
        {
            Model = Grouped with { RopeScaling = ReferenceRopeScaling.Linear, RopeFactor = 2.5 },
            Rank = 3,
            Batch = [Sample(11, length: 40, prompt: 6)],
        },
        ["llama3 rope, dropout"] = new()
        {
            Model = Llama3Rope,
            Rank = 3,
            Dropout = 0.1f,
            Batch = [Sample(12, length: 33, prompt: 0), .. Mixed[1..3]],
        },
        ["sliding window, few head rows"] = new() { Model = Grouped with { SlidingWindow = 4 }, Rank = 3, HeadRows = 5 },
        ["bf16 weights, dropout"] = new() { Model = Grouped, Rank = 3, Dropout = 0.1f, IsBFloat16 = true },
        ["bf16 weights, tied, biases, recomputed"] = new()
        {
            Model = AllBiases with { TiedEmbeddings = true },
            Rank = 8,
            IsBFloat16 = true,
            RecomputedLayers = 3,
        },
        ["no labels"] = new() { Model = Grouped, Rank = 3, Batch = [Mixed[1], Mixed[3]] },
        ["full, multi-head"] = new() { Model = Plain },
        ["full, tied, grouped heads"] = new() { Model = Grouped with { TiedEmbeddings = true } },
        ["full, all biases, one kv head, window, recomputed"] = new()
        {
            Model = AllBiases with { KeyValueHeadCount = 1, SlidingWindow = 5 },
            RecomputedLayers = 3,
            HeadRows = 4,
        },
        ["full, llama3 rope, partly recomputed"] = new() { Model = Llama3Rope, RecomputedLayers = 1 },
        ["full, linear rope, q, k, v biases"] = new()
        {
            Model = Plain with { RopeScaling = ReferenceRopeScaling.Linear, RopeFactor = 4, AttentionInputBias = true },
        },
        ["full, no labels"] = new() { Model = Grouped, Batch = [Mixed[1], Mixed[3]] },
    };

    public required ReferenceConfiguration Model { get; init; }

    /// <summary>LoRA's r; 0: all weights train.</summary>
    public int Rank { get; init; }

    /// <summary>Not a power of two, so that the scale is not one either.</summary>
    public float Alpha { get; init; } = 5;

    public IReadOnlyList<string> Targets { get; init; } = ReferenceConfiguration.Projections;

    public float Dropout { get; init; }

    /// <summary>Frozen matrices are rounded to bf16.</summary>
    public bool IsBFloat16 { get; init; }

    public int RecomputedLayers { get; init; }

    /// <summary>Logits at a time; 0: the engine's choice.</summary>
    public int HeadRows { get; init; }

    public ReferenceSample[] Batch { get; init; } = Mixed;

    public bool IsFull => Rank == 0;

    public int TokenCount => Batch.Sum(static sample => sample.Ids.Length);

    /// <summary>Random ids, whose first <paramref name="prompt"/> carry no label.</summary>
    private static ReferenceSample Sample(int seed, int length, int prompt)
    {
        var random = new Random(seed);
        int[] ids = [.. Enumerable.Range(0, length).Select(_ => random.Next(Vocabulary))];
        return new ReferenceSample(ids, [.. ids.Select((id, position) => position < prompt ? Skip : id)]);
    }
}
