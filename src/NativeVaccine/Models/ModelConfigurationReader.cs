using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using System.Text.Json;
using NativeVaccine.IO;

namespace NativeVaccine.Models;

/// <summary>
/// Reads config.json. Where a field is missing, the default is that of the configuration class in transformers, which leaves such
/// fields out.
/// </summary>
internal static class ModelConfigurationReader
{
    public const string FileName = "config.json";

    // Far above any model, and low enough that products stay in range and a list of all tensors stays small.
    private const int MaximumSize = 1 << 24;
    private const int MaximumLayers = 4096;
    private const int DefaultBeginId = 1;
    private const int DefaultEndId = 2;
    private const string EndOfSequenceField = "eos_token_id";
    private const char ByteOrderMark = '\uFEFF';

    public static ModelConfiguration Read(string folder, Action<string>? notice)
    {
        string file = Path.Combine(folder, FileName);
        return Parse(InputFile.ReadAllBytes(file, JsonFile.DefaultMaximumBytes), file, notice);
    }

    public static ModelConfiguration Parse(ReadOnlyMemory<byte> json, string file, Action<string>? notice)
    {
        using JsonDocument document = JsonFile.ParseObject(json, file);
        var fields = new JsonFields(file, document.RootElement);
        Architecture architecture = ReadArchitecture(fields);
        RequireKnownFeatures(fields);
        if (fields.Number("attention_dropout", static value => value is >= 0 and < 1, "a number from 0 and below 1", 0) > 0)
            notice?.Invoke($"{file}: attention_dropout is not 0: transformers drops some of the attention in training, this program none");
        if (ConfigurationFields.NoticeOfUnknown(fields, architecture) is { } unknown) notice?.Invoke(unknown);
        int heads = fields.WholeNumber("num_attention_heads", 1, MaximumSize);
        int hidden = fields.WholeNumber("hidden_size", 1, MaximumSize);
        int layers = fields.WholeNumber("num_hidden_layers", 1, MaximumLayers);
        int vocabulary = fields.WholeNumber("vocab_size", 1, MaximumSize);
        RopeReader rope = RopeReader.Read(fields, notice);
        bool attentionBias = architecture == Architecture.Llama && fields.Boolean("attention_bias", false);
        return new ModelConfiguration
        {
            Architecture = architecture,
            VocabularySize = vocabulary,
            HiddenSize = hidden,
            IntermediateSize = fields.WholeNumber("intermediate_size", 1, MaximumSize),
            LayerCount = layers,
            HeadCount = heads,
            KeyValueHeadCount = ReadKeyValueHeads(fields, architecture, heads),
            HeadSize = ReadHeadSize(fields, hidden, heads),
            MaximumPositions = fields.WholeNumber("max_position_embeddings", 1, int.MaxValue, DefaultPositions(architecture)),
            RmsNormEpsilon = fields.Number("rms_norm_eps", static value => value is > 0 and < 1, "a number between 0 and 1", 1e-6),
            RopeTheta = rope.Theta,
            RopeScaling = rope.Scaling,
            SlidingWindow = SlidingWindowReader.Read(fields, architecture, layers, notice),
            TieWordEmbeddings = fields.Boolean("tie_word_embeddings", false),
            QueryKeyValueBias = attentionBias || architecture == Architecture.Qwen2,
            OutputBias = attentionBias,
            MlpBias = architecture == Architecture.Llama && fields.Boolean("mlp_bias", false),
            BeginOfSequenceId = ReadBeginOfSequence(fields, architecture, vocabulary),
            EndOfSequenceIds = ReadEndOfSequence(fields, architecture, vocabulary),
            StoredType = ReadStoredType(fields),
            SourceJson = Encoding.UTF8.GetString(json.Span).TrimStart(ByteOrderMark),
        };
    }

    /// <summary>transformers goes by model_type, so the two must name one family.</summary>
    private static Architecture ReadArchitecture(JsonFields fields)
    {
        const string expected = "LlamaForCausalLM, MistralForCausalLM or Qwen2ForCausalLM";
        string? type = fields.Text("model_type");
        if (fields.Texts("architectures") is not { Count: > 0 } names)
        {
            if (type is null) throw fields.Missing("architectures", "a list with the model's class");
            return Family(type) ?? throw fields.Wrong("model_type", InputText.Quote(type), "llama, mistral or qwen2");
        }
        Architecture family = Family(names[0]) ?? throw fields.Wrong("architectures", InputText.Quote(names[0]), expected);
        if (type is null || Family(type) == family) return family;
        throw fields.Wrong("model_type", InputText.Quote(type), $"the family of architectures, {InputText.Quote(names[0])}");
    }

    private static Architecture? Family(string name) => name switch
    {
        "LlamaForCausalLM" or "llama" => Architecture.Llama,
        "MistralForCausalLM" or "mistral" => Architecture.Mistral,
        "Qwen2ForCausalLM" or "qwen2" => Architecture.Qwen2,
        _ => null,
    };

    /// <summary>Refuses what would change the numbers and is not implemented: better no answer than a wrong one.</summary>
    private static void RequireKnownFeatures(JsonFields fields)
    {
        string activation = fields.Text("hidden_act") ?? "silu";
        if (activation is not ("silu" or "swish")) throw fields.Wrong("hidden_act", InputText.Quote(activation), "silu");
        if (!fields.Boolean("is_causal", true)) throw fields.Wrong("is_causal", "false", "true: a token sees only those before it");
        if (fields.Find("quantization_config") is { } quantization)
            throw fields.Wrong("quantization_config", quantization, "a model that is not quantized");
    }

    private static int ReadKeyValueHeads(JsonFields fields, Architecture architecture, int heads)
    {
        // Llama's first models have no such field; the other families' defaults are those of one size, so a number is asked for.
        bool isGiven = fields.Element.TryGetProperty("num_key_value_heads", out _);
        int? fallback = isGiven || architecture == Architecture.Llama ? heads : null;
        int count = fields.WholeNumber("num_key_value_heads", 1, heads, fallback);
        if (heads % count == 0) return count;
        throw fields.Wrong("num_key_value_heads", Text(count), $"a divisor of num_attention_heads, {Text(heads)}");
    }

    private static int ReadHeadSize(JsonFields fields, int hidden, int heads)
    {
        if (!fields.Has("head_dim") && hidden % heads != 0)
            throw fields.Wrong("hidden_size", Text(hidden), $"a multiple of num_attention_heads, {Text(heads)}");
        int size = fields.WholeNumber("head_dim", 1, MaximumSize, hidden / heads);
        if (size % 2 != 0) throw fields.Wrong("head_dim", Text(size), "an even number, since rotary embedding turns pairs");
        if ((long)size * heads > MaximumSize) throw fields.Wrong("head_dim", Text(size), $"at most {Text(MaximumSize)} over all heads");
        return size;
    }

    /// <summary>Where the field is absent, the configuration classes of Llama and Mistral say 1; null means none.</summary>
    private static int? ReadBeginOfSequence(JsonFields fields, Architecture architecture, int vocabulary)
    {
        const string name = "bos_token_id";
        if (fields.Has(name)) return fields.WholeNumber(name, 0, vocabulary - 1);
        return HasDefaultIds(fields, name, architecture, vocabulary) ? DefaultBeginId : null;
    }

    /// <summary>As <see cref="ReadBeginOfSequence"/>, with 2.</summary>
    private static ImmutableArray<int> ReadEndOfSequence(JsonFields fields, Architecture architecture, int vocabulary)
    {
        bool isDefault = HasDefaultIds(fields, EndOfSequenceField, architecture, vocabulary);
        return isDefault ? [DefaultEndId] : EndOfSequenceIds(fields, vocabulary);
    }

    private static bool HasDefaultIds(JsonFields fields, string name, Architecture architecture, int vocabulary) =>
        architecture != Architecture.Qwen2 && vocabulary > DefaultEndId && !fields.Element.TryGetProperty(name, out _);

    private static ImmutableArray<int> EndOfSequenceIds(JsonFields fields, int vocabulary)
    {
        if (fields.Find(EndOfSequenceField) is not { } value) return [];
        if (value.ValueKind != JsonValueKind.Array) return [fields.WholeNumber(value, EndOfSequenceField, 0, vocabulary - 1)];
        return [.. value.EnumerateArray().Select(item => fields.WholeNumber(item, EndOfSequenceField, 0, vocabulary - 1))];
    }

    private static ElementType ReadStoredType(JsonFields fields)
    {
        string field = fields.Has("dtype") ? "dtype" : "torch_dtype";
        return fields.Text(field) switch
        {
            null or "float32" => ElementType.Float32,
            "float16" => ElementType.Float16,
            "bfloat16" => ElementType.BFloat16,
            { } other => throw fields.Wrong(field, InputText.Quote(other), "float32, float16 or bfloat16"),
        };
    }

    private static int DefaultPositions(Architecture architecture) => architecture switch
    {
        Architecture.Llama => 2048,
        Architecture.Mistral => 131072,
        _ => 32768,
    };

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
