using NativeVaccine.IO;

namespace NativeVaccine.Models;

/// <summary>Shapes of published models, from their config.json files on huggingface.co.</summary>
internal static class ModelShapes
{
    private static readonly ModelConfiguration Llama2 = new()
    {
        Architecture = Architecture.Llama,
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
            Architecture = Architecture.Mistral,
            IntermediateSize = 14336,
            KeyValueHeadCount = 8,
            MaximumPositions = 32768,
            SlidingWindow = 4096,
            StoredType = ElementType.BFloat16,
        },
        ["qwen2-7b"] = Llama2 with
        {
            Architecture = Architecture.Qwen2,
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
    };

    public static ModelConfiguration Find(string name) => Shapes.TryGetValue(name, out ModelConfiguration? shape)
        ? shape
        : throw new InputException($"model shape {InputText.Quote(name)} is unknown; expected one of {string.Join(", ", Shapes.Keys)}");
}
