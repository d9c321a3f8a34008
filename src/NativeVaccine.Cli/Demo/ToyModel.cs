using System.Text.Json.Nodes;
using NativeVaccine.Cli.Output;
using NativeVaccine.Models;
using NativeVaccine.Numerics;

namespace NativeVaccine.Cli.Demo;

/// <summary>The small Llama of the demo: 8 layers, 4 heads of 16, 445,120 parameters, with random first weights.</summary>
internal sealed class ToyModel : IWeightSource
{
    private const uint InitializationPurpose = 1101;
    private readonly Dictionary<string, float[]> weights = new(StringComparer.Ordinal);

    private ToyModel(ulong seed)
    {
        uint index = 0;
        foreach (ExpectedWeight weight in ExpectedWeight.Of(Configuration))
        {
            var random = new PhiloxStream(seed, InitializationPurpose, index++);
            double deviation = Deviation(weight);
            float[] values = new float[weight.ElementCount];
            for (int i = 0; i < values.Length; i++) values[i] = weight.Shape.Length == 1 ? 1 : (float)(deviation * random.NextGaussian());
            weights.Add(weight.Name, values);
        }
    }

    /// <summary>The shape.</summary>
    public static ModelConfiguration Configuration { get; } = new()
    {
        Family = ModelFamily.Llama,
        VocabularySize = ToyLanguage.Words.Count,
        HiddenSize = 64,
        IntermediateSize = 192,
        LayerCount = 8,
        HeadCount = 4,
        KeyValueHeadCount = 4,
        HeadSize = 16,
        MaximumPositions = 64,
        RmsNormEpsilon = 1e-6,
        BeginOfSequenceId = ToyLanguage.BeginId,
        EndOfSequenceIds = [ToyLanguage.EndId],
    };

    /// <summary>Writes an untrained model with its tokenizer, in the form that transformers opens.</summary>
    /// <param name="folder">A new or empty folder.</param>
    /// <param name="seed">Of the weights.</param>
    public static void Write(string folder, ulong seed) =>
        ModelWriter.Write(folder, Configuration, new ToyModel(seed), WriteTokenizer);

    /// <inheritdoc/>
    public void ReadFloat32(string name, Span<float> destination, long firstElement = 0) =>
        weights[name].AsSpan((int)firstElement, destination.Length).CopyTo(destination);

    /// <summary>
    /// Linear maps keep the variance of their input; those that write to the residual stream are smaller, so that its size does not grow
    /// with the number of layers.
    /// </summary>
    private static double Deviation(ExpectedWeight weight)
    {
        if (weight.Name == WeightNames.Embedding) return 0.5;
        double deviation = 1 / Math.Sqrt(weight.Shape[^1]);
        bool writesToResidual = weight.Name.EndsWith("o_proj.weight", StringComparison.Ordinal)
            || weight.Name.EndsWith("down_proj.weight", StringComparison.Ordinal);
        return writesToResidual ? deviation / Math.Sqrt(2.0 * Configuration.LayerCount) : deviation;
    }

    private static void WriteTokenizer(string folder)
    {
        var vocabulary = new JsonObject();
        for (int id = 0; id < ToyLanguage.Words.Count; id++) vocabulary[ToyLanguage.Words[id]] = id;
        string begin = ToyLanguage.Words[ToyLanguage.BeginId];
        Save(folder, "tokenizer.json", new JsonObject
        {
            ["version"] = "1.0",
            ["added_tokens"] = new JsonArray(Special(ToyLanguage.PadId), Special(ToyLanguage.BeginId), Special(ToyLanguage.EndId)),
            ["pre_tokenizer"] = new JsonObject { ["type"] = "WhitespaceSplit" },
            ["post_processor"] = new JsonObject
            {
                ["type"] = "TemplateProcessing",
                ["single"] = new JsonArray(Step("SpecialToken", begin), Step("Sequence", "A")),
                ["pair"] = new JsonArray(Step("SpecialToken", begin), Step("Sequence", "A"), Step("Sequence", "B")),
                ["special_tokens"] = new JsonObject
                {
                    [begin] = new JsonObject
                    {
                        ["id"] = begin,
                        ["ids"] = new JsonArray(ToyLanguage.BeginId),
                        ["tokens"] = new JsonArray(begin),
                    },
                },
            },
            // transformers asks for the name of an unknown word's token, which this world does not have.
            ["model"] = new JsonObject
            {
                ["type"] = "WordLevel",
                ["vocab"] = vocabulary,
                ["unk_token"] = ToyLanguage.Words[ToyLanguage.PadId],
            },
        });
        Save(folder, "tokenizer_config.json", new JsonObject
        {
            ["tokenizer_class"] = "PreTrainedTokenizerFast",
            ["bos_token"] = begin,
            ["eos_token"] = ToyLanguage.Words[ToyLanguage.EndId],
            ["pad_token"] = ToyLanguage.Words[ToyLanguage.PadId],
        });
    }

    private static JsonObject Special(int id) => new()
    {
        ["id"] = id,
        ["content"] = ToyLanguage.Words[id],
        ["single_word"] = false,
        ["lstrip"] = false,
        ["rstrip"] = false,
        ["normalized"] = false,
        ["special"] = true,
    };

    private static JsonObject Step(string kind, string id) => new() { [kind] = new JsonObject { ["id"] = id, ["type_id"] = 0 } };

    private static void Save(string folder, string name, JsonObject json) =>
        JsonValues.Save(Path.Combine(folder, name), json);
}
