using System.Text.Json.Nodes;
using NativeVaccine.IO;

namespace NativeVaccine.Models;

/// <summary>Writes config.json and generation_config.json in the form of transformers 4.</summary>
internal static class ModelConfigurationWriter
{
    public static string Write(ModelConfiguration configuration) =>
        JsonText.Indented(configuration.SourceJson is { } source ? Edited(source, configuration) : Fresh(configuration));

    /// <summary>generation_config.json of a model that has none.</summary>
    public static string WriteGeneration(ModelConfiguration configuration) => JsonText.Indented(new JsonObject
    {
        ["_from_model_config"] = true,
        ["bos_token_id"] = configuration.BeginOfSequenceId,
        ["eos_token_id"] = EndOfSequence(configuration),
    });

    /// <summary>The source with the type that the weights have now, and no code to load with.</summary>
    private static JsonObject Edited(string source, ModelConfiguration configuration)
    {
        JsonObject json = JsonNode.Parse(source)!.AsObject();
        json.Remove("auto_map");
        foreach (string name in new[] { "dtype", "torch_dtype" })
        {
            if (json.ContainsKey(name)) json[name] = configuration.StoredType.TorchName();
        }
        const string tied = "tie_word_embeddings";
        if (configuration.TieWordEmbeddings != (json[tied]?.GetValue<bool>() ?? false)) json[tied] = configuration.TieWordEmbeddings;
        return json;
    }

    private static JsonObject Fresh(ModelConfiguration configuration)
    {
        JsonObject json = NewFields(configuration);
        json["vocab_size"] = configuration.VocabularySize;
        json["hidden_size"] = configuration.HiddenSize;
        json["intermediate_size"] = configuration.IntermediateSize;
        json["num_hidden_layers"] = configuration.LayerCount;
        json["num_attention_heads"] = configuration.HeadCount;
        json["num_key_value_heads"] = configuration.KeyValueHeadCount;
        if (configuration.QuerySize != configuration.HiddenSize) json["head_dim"] = configuration.HeadSize;
        json["max_position_embeddings"] = configuration.MaximumPositions;
        json["rms_norm_eps"] = JsonText.Float(configuration.RmsNormEpsilon);
        json["tie_word_embeddings"] = configuration.TieWordEmbeddings;
        json["bos_token_id"] = configuration.BeginOfSequenceId;
        json["eos_token_id"] = EndOfSequence(configuration);
        json["torch_dtype"] = configuration.StoredType.TorchName();
        WriteRope(json, configuration);
        WriteFamily(json, configuration);
        return json;
    }

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
        json["rope_theta"] = JsonText.Float(configuration.RopeTheta);
        RopeScaling scaling = configuration.RopeScaling;
        json["rope_scaling"] = scaling.Kind switch
        {
            RopeScalingKind.None => null,
            RopeScalingKind.Linear => new JsonObject
            {
                ["rope_type"] = "linear",
                ["type"] = "linear",
                ["factor"] = JsonText.Float(scaling.Factor),
            },
            _ => new JsonObject
            {
                ["rope_type"] = "llama3",
                ["factor"] = JsonText.Float(scaling.Factor),
                ["low_freq_factor"] = JsonText.Float(scaling.LowFrequencyFactor),
                ["high_freq_factor"] = JsonText.Float(scaling.HighFrequencyFactor),
                ["original_max_position_embeddings"] = scaling.OriginalMaximumPositions,
            },
        };
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
