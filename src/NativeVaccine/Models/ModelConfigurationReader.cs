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
        ModelFamily family = ReadFamily(fields);
        RequireKnownFeatures(fields);
        NoteDropout(fields, family, notice);
        if (ConfigurationFields.NoticeOfUnknown(fields, family) is { } unknown) notice?.Invoke(unknown);
        int heads = fields.WholeNumber("num_attention_heads", 1, MaximumSize);
        int hidden = fields.WholeNumber("hidden_size", 1, MaximumSize);
        int layers = fields.WholeNumber("num_hidden_layers", 1, MaximumLayers);
        int vocabulary = fields.WholeNumber("vocab_size", 1, MaximumSize);
        RopeReader rope = RopeReader.Read(fields, family, notice);
        var windows = SlidingWindowReader.Read(fields, family, layers, notice);
        bool attentionBias = family.Has("attention_bias") && fields.Boolean("attention_bias", false);
        return new ModelConfiguration
        {
            Family = family,
            VocabularySize = vocabulary,
            HiddenSize = hidden,
            IntermediateSize = fields.WholeNumber("intermediate_size", 1, MaximumSize),
            LayerCount = layers,
            HeadCount = heads,
            KeyValueHeadCount = ReadKeyValueHeads(fields, family, heads),
            HeadSize = ReadHeadSize(fields, family, hidden, heads),
            MaximumPositions = fields.WholeNumber("max_position_embeddings", 1, int.MaxValue, family.MaximumPositions),
            RmsNormEpsilon = fields.Number(
                "rms_norm_eps", static value => value is > 0 and < 1, "a number between 0 and 1", family.RmsNormEpsilon),
            RopeTheta = rope.Global.Theta,
            RopeScaling = rope.Global.Scaling,
            LocalRope = rope.Local,
            SlidingWindow = windows.Window,
            WindowedLayers = windows.Layers,
            Activation = ReadActivation(fields, family, notice),
            QueryScalar = ReadQueryScalar(fields, family),
            AttentionCap = ReadCap(fields, family, "attn_logit_softcapping", family.AttentionCap),
            LogitCap = ReadCap(fields, family, "final_logit_softcapping", family.LogitCap),
            TieWordEmbeddings = fields.Boolean("tie_word_embeddings", family.TiesEmbedding),
            QueryKeyValueBias = attentionBias || family.HasQueryKeyValueBias,
            OutputBias = attentionBias,
            MlpBias = family.Has("mlp_bias") && fields.Boolean("mlp_bias", false),
            BeginOfSequenceId = ReadBeginOfSequence(fields, family, vocabulary),
            EndOfSequenceIds = ReadEndOfSequence(fields, family, vocabulary),
            StoredType = ReadStoredType(fields),
            SourceJson = Encoding.UTF8.GetString(json.Span).TrimStart(ByteOrderMark),
        };
    }

    /// <summary>transformers goes by model_type, so the two must name one family.</summary>
    private static ModelFamily ReadFamily(JsonFields fields)
    {
        string? type = fields.Text("model_type");
        ModelFamily? byType = ModelFamily.All.FirstOrDefault(family => family.Type == type);
        if (fields.Texts("architectures") is not { Count: > 0 } names)
        {
            if (type is null) throw fields.Missing("architectures", "a list with the model's class");
            return byType ?? throw fields.Wrong("model_type", InputText.Quote(type), OneOf(static family => family.Type));
        }
        ModelFamily byClass = ModelFamily.All.FirstOrDefault(family => names[0] == family.CausalClass || names[0] == family.BaseClass)
            ?? throw fields.Wrong("architectures", InputText.Quote(names[0]), OneOf(static family => family.CausalClass));
        if (type is null || byType == byClass) return byClass;
        throw fields.Wrong("model_type", InputText.Quote(type), $"the family of architectures, {InputText.Quote(names[0])}");
    }

    private static string OneOf(Func<ModelFamily, string> name)
    {
        string[] names = [.. ModelFamily.All.Select(name)];
        return $"{string.Join(", ", names[..^1])} or {names[^1]}";
    }

    /// <summary>Refuses what would change the numbers and is not implemented: better no answer than a wrong one.</summary>
    private static void RequireKnownFeatures(JsonFields fields)
    {
        const string causal = "a token sees only those before it";
        if (!fields.Boolean("is_causal", true)) throw fields.Wrong("is_causal", "false", $"true: {causal}");
        if (fields.Boolean("use_bidirectional_attention", false))
            throw fields.Wrong("use_bidirectional_attention", "true", $"false: {causal}");
        if (fields.Find("quantization_config") is { } quantization)
            throw fields.Wrong("quantization_config", quantization, "a model that is not quantized");
    }

    private static void NoteDropout(JsonFields fields, ModelFamily family, Action<string>? notice)
    {
        Note("attention_dropout", "attention");
        if (family.Has("resid_pdrop")) Note("resid_pdrop", "residual stream");
        if (family.Has("embd_pdrop")) Note("embd_pdrop", "embedding");

        void Note(string name, string what)
        {
            if (fields.Number(name, static value => value is >= 0 and < 1, "a number from 0 and below 1", 0) > 0)
                notice?.Invoke($"{fields.File}: {name} is not 0: transformers drops some of the {what} in training, this program none");
        }
    }

    private static Activation ReadActivation(JsonFields fields, ModelFamily family, Action<string>? notice)
    {
        string field = family.ActivationField;
        Activation activation = fields.Text(field) switch
        {
            null => family.Activation,
            "silu" or "swish" => Activation.Silu,
            "gelu_pytorch_tanh" => Activation.GeluTanh,
            { } other => throw fields.Wrong(field, InputText.Quote(other), "silu or gelu_pytorch_tanh"),
        };
        // Gemma's first files had hidden_act.
        string used = ModelConfigurationWriter.NameOf(activation);
        string? act = field == "hidden_act" ? null : fields.Text("hidden_act");
        if (act is null || act == used) return activation;
        string what = family.NamesActivationTwice
            ? $"hidden_act is {InputText.Quote(act)}, which transformers 5 takes; here {used} counts, as in transformers 4"
            : $"hidden_act is not used, but {field}, as in transformers: {used}";
        notice?.Invoke($"{fields.File}: {what}");
        return activation;
    }

    private static double? ReadQueryScalar(JsonFields fields, ModelFamily family)
    {
        const string name = "query_pre_attn_scalar";
        if (!family.Has(name)) return null;
        return fields.Number(name, static value => value is >= 1e-6 and <= MaximumSize, "a positive number", family.QueryScalar);
    }

    /// <summary>Where it is null there is none, and where it is missing the family's.</summary>
    private static double ReadCap(JsonFields fields, ModelFamily family, string name, double fallback)
    {
        if (!family.Has(name)) return 0;
        return fields.Number(name, static value => value is >= 1e-6 and <= 1e6, "a positive number", IsGiven(fields, name) ? 0 : fallback);
    }

    private static bool IsGiven(JsonFields fields, string name) => fields.Element.TryGetProperty(name, out _);

    private static int ReadKeyValueHeads(JsonFields fields, ModelFamily family, int heads)
    {
        int? fallback = IsGiven(fields, "num_key_value_heads") || family.HasKeyValueHeadsOfItsOwn ? heads : null;
        int count = fields.WholeNumber("num_key_value_heads", 1, heads, fallback);
        if (heads % count == 0) return count;
        throw fields.Wrong("num_key_value_heads", Text(count), $"a divisor of num_attention_heads, {Text(heads)}");
    }

    private static int ReadHeadSize(JsonFields fields, ModelFamily family, int hidden, int heads)
    {
        if (!fields.Has("head_dim") && family.HeadSize is null && hidden % heads != 0)
            throw fields.Wrong("hidden_size", Text(hidden), $"a multiple of num_attention_heads, {Text(heads)}");
        int size = fields.WholeNumber("head_dim", 1, MaximumSize, family.HeadSize ?? hidden / heads);
        if (size % 2 != 0) throw fields.Wrong("head_dim", Text(size), "an even number, since rotary embedding turns pairs");
        if ((long)size * heads > MaximumSize) throw fields.Wrong("head_dim", Text(size), $"at most {Text(MaximumSize)} over all heads");
        return size;
    }

    /// <summary>Where the field is absent, the family's; null means none.</summary>
    private static int? ReadBeginOfSequence(JsonFields fields, ModelFamily family, int vocabulary)
    {
        const string name = "bos_token_id";
        if (IsGiven(fields, name)) return fields.Has(name) ? fields.WholeNumber(name, 0, vocabulary - 1) : null;
        return family.BeginId < vocabulary ? family.BeginId : null;
    }

    /// <summary>As <see cref="ReadBeginOfSequence"/>.</summary>
    private static ImmutableArray<int> ReadEndOfSequence(JsonFields fields, ModelFamily family, int vocabulary)
    {
        if (IsGiven(fields, EndOfSequenceField)) return EndOfSequenceIds(fields, vocabulary);
        return family.EndId is { } id && id < vocabulary ? [id] : [];
    }

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

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
