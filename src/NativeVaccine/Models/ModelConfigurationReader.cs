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
    public const string GenerationFileName = "generation_config.json";

    // Far above any model, and low enough that products stay in range and a list of all tensors stays small.
    private const int MaximumSize = 1 << 24;
    private const int MaximumLayers = 4096;
    private const char ByteOrderMark = '\uFEFF';

    public static ModelConfiguration Read(string folder)
    {
        string file = Path.Combine(folder, FileName);
        ModelConfiguration configuration = Parse(InputFile.ReadAllBytes(file, JsonFile.DefaultMaximumBytes), file);
        string generationFile = Path.Combine(folder, GenerationFileName);
        if (!File.Exists(generationFile)) return configuration;
        using JsonDocument document = JsonFile.ReadObject(generationFile);
        ImmutableArray<int> ends = EndOfSequenceIds(new JsonFields(generationFile, document.RootElement), configuration.VocabularySize);
        return ends.IsEmpty ? configuration : configuration with { EndOfSequenceIds = ends };
    }

    public static ModelConfiguration Parse(ReadOnlyMemory<byte> json, string file)
    {
        using JsonDocument document = JsonFile.ParseObject(json, file);
        var fields = new JsonFields(file, document.RootElement);
        Architecture architecture = ReadArchitecture(fields);
        RequireKnownFeatures(fields);
        int heads = fields.WholeNumber("num_attention_heads", 1, MaximumSize);
        int hidden = fields.WholeNumber("hidden_size", 1, MaximumSize);
        int layers = fields.WholeNumber("num_hidden_layers", 1, MaximumLayers);
        int vocabulary = fields.WholeNumber("vocab_size", 1, MaximumSize);
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
            RopeTheta = ReadRopeTheta(fields),
            RopeScaling = ReadRopeScaling(fields),
            SlidingWindow = ReadSlidingWindow(fields, architecture, layers),
            TieWordEmbeddings = fields.Boolean("tie_word_embeddings", false),
            QueryKeyValueBias = attentionBias || architecture == Architecture.Qwen2,
            OutputBias = attentionBias,
            MlpBias = architecture == Architecture.Llama && fields.Boolean("mlp_bias", false),
            BeginOfSequenceId = fields.Has("bos_token_id") ? fields.WholeNumber("bos_token_id", 0, vocabulary - 1) : null,
            EndOfSequenceIds = EndOfSequenceIds(fields, vocabulary),
            StoredType = ReadStoredType(fields),
            SourceJson = Encoding.UTF8.GetString(json.Span).TrimStart(ByteOrderMark),
        };
    }

    private static Architecture ReadArchitecture(JsonFields fields)
    {
        (string field, string found) = fields.Texts("architectures") is { Count: > 0 } names
            ? ("architectures", names[0])
            : ("model_type", fields.Text("model_type") ?? throw fields.Missing("architectures", "a list with the model's class"));
        return found switch
        {
            "LlamaForCausalLM" or "llama" => Architecture.Llama,
            "MistralForCausalLM" or "mistral" => Architecture.Mistral,
            "Qwen2ForCausalLM" or "qwen2" => Architecture.Qwen2,
            _ => throw fields.Wrong(field, InputText.Quote(found), "LlamaForCausalLM, MistralForCausalLM or Qwen2ForCausalLM"),
        };
    }

    /// <summary>Refuses what would change the numbers and is not implemented: better no answer than a wrong one.</summary>
    private static void RequireKnownFeatures(JsonFields fields)
    {
        string activation = fields.Text("hidden_act") ?? "silu";
        if (activation != "silu") throw fields.Wrong("hidden_act", InputText.Quote(activation), "silu");
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

    private static double ReadRopeTheta(JsonFields fields)
    {
        JsonFields holder = fields.Fields("rope_parameters") is { } rope && rope.Has("rope_theta") ? rope : fields;
        return holder.Number("rope_theta", static value => value > 0, "a positive number", 10000);
    }

    private static RopeScaling ReadRopeScaling(JsonFields fields)
    {
        if ((fields.Fields("rope_parameters") ?? fields.Fields("rope_scaling")) is not { } rope) return RopeScaling.None;
        if (rope.Number("partial_rotary_factor", static value => value is > 0 and <= 1, "a number up to 1", 1) < 1)
            throw rope.Wrong("partial_rotary_factor", "less than 1", "1: every head turned whole");
        string kindField = rope.Has("rope_type") ? "rope_type" : "type";
        string kind = rope.Text(kindField) ?? "default";
        return kind switch
        {
            "default" => RopeScaling.None,
            "linear" => new RopeScaling(RopeScalingKind.Linear, Factor(rope)),
            "llama3" => ReadLlama3(rope),
            _ => throw rope.Wrong(kindField, InputText.Quote(kind), "default, linear or llama3"),
        };
    }

    private static RopeScaling ReadLlama3(JsonFields rope)
    {
        double low = rope.Number("low_freq_factor", static value => value > 0, "a positive number");
        double high = rope.Number("high_freq_factor", value => value > low, "a number greater than low_freq_factor");
        int original = rope.WholeNumber("original_max_position_embeddings", 1, int.MaxValue);
        return new RopeScaling(RopeScalingKind.Llama3, Factor(rope), low, high, original);
    }

    private static double Factor(JsonFields rope) => rope.Number("factor", static value => value >= 1, "a number from 1");

    private static int ReadSlidingWindow(JsonFields fields, Architecture architecture, int layers)
    {
        switch (architecture)
        {
            case Architecture.Mistral:
                bool isGiven = fields.Element.TryGetProperty("sliding_window", out _);
                return isGiven && !fields.Has("sliding_window") ? 0 : fields.WholeNumber("sliding_window", 1, int.MaxValue, 4096);
            case Architecture.Qwen2 when fields.Boolean("use_sliding_window", false):
                // Layers from max_window_layers on have the window, those below see everything; the engine knows one rule for all.
                int firstWithWindow = fields.WholeNumber("max_window_layers", 0, int.MaxValue, 28);
                if (firstWithWindow >= layers) return 0;
                if (firstWithWindow > 0) throw fields.Wrong("max_window_layers", Text(firstWithWindow), "0 or at least num_hidden_layers");
                return fields.Has("sliding_window") ? fields.WholeNumber("sliding_window", 1, int.MaxValue) : 0;
            default:
                return 0;
        }
    }

    private static ImmutableArray<int> EndOfSequenceIds(JsonFields fields, int vocabulary)
    {
        const string name = "eos_token_id";
        if (fields.Find(name) is not { } value) return [];
        if (value.ValueKind != JsonValueKind.Array) return [fields.WholeNumber(value, name, 0, vocabulary - 1)];
        return [.. value.EnumerateArray().Select(item => fields.WholeNumber(item, name, 0, vocabulary - 1))];
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
