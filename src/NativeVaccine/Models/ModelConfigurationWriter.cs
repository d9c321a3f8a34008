using System.Text.Json.Nodes;
using NativeVaccine.IO;

namespace NativeVaccine.Models;

/// <summary>Writes config.json and generation_config.json in the form of transformers 4.</summary>
internal static class ModelConfigurationWriter
{
    public static string Write(ModelConfiguration configuration)
    {
        JsonObject json = configuration.SourceJson is { } source ? JsonNode.Parse(source)!.AsObject() : NewFields(configuration);
        json["vocab_size"] = configuration.VocabularySize;
        json["hidden_size"] = configuration.HiddenSize;
        json["intermediate_size"] = configuration.IntermediateSize;
        json["num_hidden_layers"] = configuration.LayerCount;
        json["num_attention_heads"] = configuration.HeadCount;
        json["num_key_value_heads"] = configuration.KeyValueHeadCount;
        if (json.ContainsKey("head_dim") || configuration.QuerySize != configuration.HiddenSize) json["head_dim"] = configuration.HeadSize;
        json["max_position_embeddings"] = configuration.MaximumPositions;
        json["rms_norm_eps"] = JsonText.Float(configuration.RmsNormEpsilon);
        json["tie_word_embeddings"] = configuration.TieWordEmbeddings;
        json["bos_token_id"] = configuration.BeginOfSequenceId;
        json["eos_token_id"] = EndOfSequence(configuration);
        json[json.ContainsKey("dtype") ? "dtype" : "torch_dtype"] = configuration.StoredType.TorchName();
        WriteRope(json, configuration);
        WriteFamily(json, configuration);
        return JsonText.Indented(json);
    }

    /// <summary>generation_config.json of a model that has none.</summary>
    public static string WriteGeneration(ModelConfiguration configuration) => JsonText.Indented(new JsonObject
    {
        ["_from_model_config"] = true,
        ["bos_token_id"] = configuration.BeginOfSequenceId,
        ["eos_token_id"] = EndOfSequence(configuration),
    });

    private static JsonObject NewFields(ModelConfiguration configuration) => new()
    {
        ["architectures"] = new JsonArray($"{configuration.Architecture}ForCausalLM"),
        ["model_type"] = configuration.Architecture switch
        {
            Architecture.Llama => "llama",
            Architecture.Mistral => "mistral",
            _ => "qwen2",
        },
        ["hidden_act"] = "silu",
        ["initializer_range"] = JsonText.Float(0.02),
        ["attention_dropout"] = JsonText.Float(0),
        ["use_cache"] = true,
    };

    private static void WriteRope(JsonObject json, ModelConfiguration configuration)
    {
        // Newer files keep everything about rotary embedding in one object; a source of that form keeps its form.
        bool isNested = json["rope_parameters"] is JsonObject;
        (isNested ? json["rope_parameters"]!.AsObject() : json)["rope_theta"] = JsonText.Float(configuration.RopeTheta);
        RopeScaling scaling = configuration.RopeScaling;
        if (scaling.Kind == RopeScalingKind.None)
        {
            if (isNested) json["rope_parameters"]!["rope_type"] = "default";
            else json["rope_scaling"] = null;
            return;
        }
        JsonObject target = isNested ? json["rope_parameters"]!.AsObject() : [];
        target["rope_type"] = scaling.Kind == RopeScalingKind.Linear ? "linear" : "llama3";
        target["factor"] = JsonText.Float(scaling.Factor);
        if (scaling.Kind == RopeScalingKind.Linear && !isNested) target["type"] = "linear";
        if (scaling.Kind == RopeScalingKind.Llama3)
        {
            target["low_freq_factor"] = JsonText.Float(scaling.LowFrequencyFactor);
            target["high_freq_factor"] = JsonText.Float(scaling.HighFrequencyFactor);
            target["original_max_position_embeddings"] = scaling.OriginalMaximumPositions;
        }
        if (!isNested) json["rope_scaling"] = target;
    }

    private static void WriteFamily(JsonObject json, ModelConfiguration configuration)
    {
        switch (configuration.Architecture)
        {
            case Architecture.Llama:
                json["attention_bias"] = configuration.QueryKeyValueBias;
                json["mlp_bias"] = configuration.MlpBias;
                break;
            case Architecture.Mistral:
                json["sliding_window"] = configuration.SlidingWindow == 0 ? null : configuration.SlidingWindow;
                break;
            case Architecture.Qwen2 when configuration.SlidingWindow > 0:
                json["use_sliding_window"] = true;
                json["sliding_window"] = configuration.SlidingWindow;
                json["max_window_layers"] = 0;
                break;
            default:
                json["use_sliding_window"] = false;
                break;
        }
    }

    private static JsonNode? EndOfSequence(ModelConfiguration configuration) => configuration.EndOfSequenceIds switch
    {
        [] => null,
        [int single] => single,
        var several => new JsonArray([.. several.Select(static id => (JsonNode)id)]),
    };
}
