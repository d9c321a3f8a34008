using NativeVaccine.IO;

namespace NativeVaccine.Models;

/// <summary>Shapes of published models, from their config.json files on huggingface.co.</summary>
internal static class ModelShapes
{
    private static readonly ModelConfiguration Llama2 = new()
    {
        Family = ModelFamily.Llama,
        VocabularySize = 32000,
        HiddenSize = 4096,
        IntermediateSize = 11008,
        LayerCount = 32,
        HeadCount = 32,
        KeyValueHeadCount = 32,
        HeadSize = 128,
        MaximumPositions = 4096,
        RmsNormEpsilon = 1e-5,
        BeginOfSequenceId = 1,
        EndOfSequenceIds = [2],
        StoredType = ElementType.Float16,
    };

    private static readonly ModelConfiguration Gemma2 = new()
    {
        Family = ModelFamily.Gemma2,
        VocabularySize = 256000,
        HiddenSize = 2304,
        IntermediateSize = 9216,
        LayerCount = 26,
        HeadCount = 8,
        KeyValueHeadCount = 4,
        HeadSize = 256,
        MaximumPositions = 8192,
        RmsNormEpsilon = 1e-6,
        SlidingWindow = 4096,
        WindowedLayers = [.. Enumerable.Range(1, 26).Select(static layer => layer % 2 != 0)],
        Activation = Activation.GeluTanh,
        QueryScalar = 256,
        AttentionCap = 50,
        LogitCap = 30,
        TieWordEmbeddings = true,
        BeginOfSequenceId = 2,
        EndOfSequenceIds = [1],
        StoredType = ElementType.BFloat16,
    };

    private static readonly Dictionary<string, ModelConfiguration> Shapes = new(StringComparer.Ordinal)
    {
        ["llama-2-7b"] = Llama2,
        ["llama-2-13b"] = Llama2 with
        {
            HiddenSize = 5120,
            IntermediateSize = 13824,
            LayerCount = 40,
            HeadCount = 40,
            KeyValueHeadCount = 40,
        },
        ["llama-3-8b"] = Llama2 with
        {
            VocabularySize = 128256,
            IntermediateSize = 14336,
            KeyValueHeadCount = 8,
            MaximumPositions = 8192,
            RopeTheta = 500000,
            BeginOfSequenceId = 128000,
            EndOfSequenceIds = [128001],
            StoredType = ElementType.BFloat16,
        },
        ["mistral-7b"] = Llama2 with
        {
            Family = ModelFamily.Mistral,
            IntermediateSize = 14336,
            KeyValueHeadCount = 8,
            MaximumPositions = 32768,
            SlidingWindow = 4096,
            StoredType = ElementType.BFloat16,
        },
        ["qwen2-7b"] = Llama2 with
        {
            Family = ModelFamily.Qwen2,
            VocabularySize = 152064,
            HiddenSize = 3584,
            IntermediateSize = 18944,
            LayerCount = 28,
            HeadCount = 28,
            KeyValueHeadCount = 4,
            MaximumPositions = 131072,
            RmsNormEpsilon = 1e-6,
            RopeTheta = 1000000,
            QueryKeyValueBias = true,
            BeginOfSequenceId = 151643,
            EndOfSequenceIds = [151643],
            StoredType = ElementType.BFloat16,
        },
        ["qwen3-8b"] = Llama2 with
        {
            Family = ModelFamily.Qwen3,
            VocabularySize = 151936,
            IntermediateSize = 12288,
            LayerCount = 36,
            KeyValueHeadCount = 8,
            MaximumPositions = 40960,
            RmsNormEpsilon = 1e-6,
            RopeTheta = 1000000,
            BeginOfSequenceId = 151643,
            EndOfSequenceIds = [151645],
            StoredType = ElementType.BFloat16,
        },
        ["gemma-2b"] = Gemma2 with
        {
            Family = ModelFamily.Gemma,
            HiddenSize = 2048,
            IntermediateSize = 16384,
            LayerCount = 18,
            KeyValueHeadCount = 1,
            SlidingWindow = 0,
            WindowedLayers = [],
            QueryScalar = null,
            AttentionCap = 0,
            LogitCap = 0,
        },
        ["gemma-2-2b"] = Gemma2,
        ["gemma-3-1b"] = Gemma2 with
        {
            Family = ModelFamily.Gemma3,
            VocabularySize = 262144,
            HiddenSize = 1152,
            IntermediateSize = 6912,
            HeadCount = 4,
            KeyValueHeadCount = 1,
            MaximumPositions = 32768,
            RopeTheta = 1000000,
            LocalRope = new(10000, RopeScaling.None),
            SlidingWindow = 512,
            WindowedLayers = [.. Enumerable.Range(1, 26).Select(static layer => layer % 6 != 0)],
            AttentionCap = 0,
            LogitCap = 0,
        },
        ["phi-3-mini"] = Llama2 with
        {
            Family = ModelFamily.Phi3,
            VocabularySize = 32064,
            HiddenSize = 3072,
            IntermediateSize = 8192,
            HeadSize = 96,
            SlidingWindow = 2047,
            EndOfSequenceIds = [32000],
            StoredType = ElementType.BFloat16,
        },
    };

    public static ModelConfiguration Find(string name) => Shapes.TryGetValue(name, out ModelConfiguration? shape)
        ? shape
        : throw new InputException($"model shape {InputText.Quote(name)} is unknown; expected one of {string.Join(", ", Shapes.Keys)}");
}
