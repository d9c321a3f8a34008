using System.Text.Json;

namespace NativeVaccine.TorchReference;

/// <summary>How rotary frequencies are stretched.</summary>
public enum ReferenceRopeScaling
{
    /// <summary>Not at all.</summary>
    None,

    /// <summary>Every frequency divided by the factor.</summary>
    Linear,

    /// <summary>Llama 3.1: low frequencies divided by the factor, high ones kept, those between interpolated.</summary>
    Llama3,
}

/// <summary>The shape of a Llama-family model, and nothing else.</summary>
public sealed record ReferenceConfiguration
{
    public required int VocabularySize { get; init; }

    public required int HiddenSize { get; init; }

    public required int IntermediateSize { get; init; }

    public required int LayerCount { get; init; }

    public required int HeadCount { get; init; }

    public required int KeyValueHeadCount { get; init; }

    public required int HeadSize { get; init; }

    public double NormEpsilon { get; init; } = 1e-5;

    public double RopeTheta { get; init; } = 10000;

    public ReferenceRopeScaling RopeScaling { get; init; }

    public double RopeFactor { get; init; } = 1;

    public double RopeLowFrequencyFactor { get; init; } = 1;

    public double RopeHighFrequencyFactor { get; init; } = 4;

    public int RopeOriginalLength { get; init; } = 8192;

    /// <summary>A position attends itself and this many less one before it; null: all before it.</summary>
    public int? SlidingWindow { get; init; }

    /// <summary>The embedding is the output head too.</summary>
    public bool TiedEmbeddings { get; init; }

    /// <summary>Biases on q, k and v.</summary>
    public bool AttentionInputBias { get; init; }

    /// <summary>A bias on the attention's output projection.</summary>
    public bool AttentionOutputBias { get; init; }

    /// <summary>Biases on gate, up and down.</summary>
    public bool MlpBias { get; init; }

    /// <summary>Reads the config.json of a Llama, Mistral or Qwen2 folder.</summary>
    /// <exception cref="InvalidDataException">Another architecture, or a rotary scaling or window unknown to the reference.</exception>
    public static ReferenceConfiguration Load(string folder)
    {
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "config.json")));
        JsonElement root = document.RootElement;
        string family = root.GetProperty("model_type").GetString()!;
        if (family is not ("llama" or "mistral" or "qwen2"))
            throw new InvalidDataException($"{folder}: model_type {family}, expected llama, mistral or qwen2");

        int hidden = root.GetProperty("hidden_size").GetInt32();
        int heads = root.GetProperty("num_attention_heads").GetInt32();
        bool attentionBias = Flag(root, "attention_bias");
        var configuration = new ReferenceConfiguration
        {
            VocabularySize = root.GetProperty("vocab_size").GetInt32(),
            HiddenSize = hidden,
            IntermediateSize = root.GetProperty("intermediate_size").GetInt32(),
            LayerCount = root.GetProperty("num_hidden_layers").GetInt32(),
            HeadCount = heads,
            KeyValueHeadCount = Number(root, "num_key_value_heads") is double groups ? (int)groups : heads,
            HeadSize = Number(root, "head_dim") is double size ? (int)size : hidden / heads,
            NormEpsilon = Number(root, "rms_norm_eps") ?? 1e-6,
            RopeTheta = Number(root, "rope_theta") ?? 10000,
            SlidingWindow = Window(root, family),
            TiedEmbeddings = Flag(root, "tie_word_embeddings"),
            AttentionInputBias = family == "qwen2" || attentionBias,
            AttentionOutputBias = attentionBias,
            MlpBias = Flag(root, "mlp_bias"),
        };
        return root.TryGetProperty("rope_scaling", out JsonElement scaling) && scaling.ValueKind == JsonValueKind.Object
            ? WithRopeScaling(configuration, scaling)
            : configuration;
    }

    /// <summary>Every parameter's Hugging Face name and shape, in the order of the forward pass.</summary>
    public IEnumerable<(string Name, int[] Shape)> ParameterShapes()
    {
        yield return ("model.embed_tokens.weight", [VocabularySize, HiddenSize]);
        for (int layer = 0; layer < LayerCount; layer++)
        {
            string prefix = $"model.layers.{layer}.";
            yield return (prefix + "input_layernorm.weight", [HiddenSize]);
            yield return (prefix + "post_attention_layernorm.weight", [HiddenSize]);
            foreach (string projection in Projections)
            {
                (int output, int input) = ProjectionShape(projection);
                yield return (prefix + ModulePath(projection) + ".weight", [output, input]);
                if (HasBias(projection))
                    yield return (prefix + ModulePath(projection) + ".bias", [output]);
            }
        }
        yield return ("model.norm.weight", [HiddenSize]);
        if (!TiedEmbeddings)
            yield return ("lm_head.weight", [VocabularySize, HiddenSize]);
    }

    /// <summary>The seven projections of a layer, as PEFT's <c>target_modules</c> names them.</summary>
    public static IReadOnlyList<string> Projections { get; } =
        ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];

    /// <summary>Rows (outputs) and columns (inputs) of a projection's weight.</summary>
    public (int Output, int Input) ProjectionShape(string projection) => projection switch
    {
        "q_proj" => (HeadCount * HeadSize, HiddenSize),
        "k_proj" or "v_proj" => (KeyValueHeadCount * HeadSize, HiddenSize),
        "o_proj" => (HiddenSize, HeadCount * HeadSize),
        "gate_proj" or "up_proj" => (IntermediateSize, HiddenSize),
        "down_proj" => (HiddenSize, IntermediateSize),
        _ => throw new ArgumentException($"no projection is called {projection}", nameof(projection)),
    };

    /// <summary>A projection's path inside its layer, as <c>self_attn.q_proj</c>.</summary>
    public static string ModulePath(string projection) =>
        (projection is "gate_proj" or "up_proj" or "down_proj" ? "mlp." : "self_attn.") + projection;

    internal bool HasBias(string projection) => projection switch
    {
        "q_proj" or "k_proj" or "v_proj" => AttentionInputBias,
        "o_proj" => AttentionOutputBias,
        _ => MlpBias,
    };

    private static ReferenceConfiguration WithRopeScaling(ReferenceConfiguration configuration, JsonElement scaling)
    {
        string kind = (scaling.TryGetProperty("rope_type", out JsonElement type) ? type : scaling.GetProperty("type")).GetString()!;
        double factor = scaling.GetProperty("factor").GetDouble();
        return kind switch
        {
            "linear" => configuration with { RopeScaling = ReferenceRopeScaling.Linear, RopeFactor = factor },
            "llama3" => configuration with
            {
                RopeScaling = ReferenceRopeScaling.Llama3,
                RopeFactor = factor,
                RopeLowFrequencyFactor = scaling.GetProperty("low_freq_factor").GetDouble(),
                RopeHighFrequencyFactor = scaling.GetProperty("high_freq_factor").GetDouble(),
                RopeOriginalLength = scaling.GetProperty("original_max_position_embeddings").GetInt32(),
            },
            _ => throw new InvalidDataException($"rope_scaling {kind}: expected linear or llama3"),
        };
    }

    private static int? Window(JsonElement root, string family)
    {
        if (family == "qwen2" && Flag(root, "use_sliding_window"))
            throw new InvalidDataException("use_sliding_window: the reference knows no window that only some layers have");
        return family == "mistral" ? (int?)Number(root, "sliding_window") : null;
    }

    private static bool Flag(JsonElement root, string name) =>
        root.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.True;

    private static double? Number(JsonElement root, string name) =>
        root.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.Number ? value.GetDouble() : null;
}
