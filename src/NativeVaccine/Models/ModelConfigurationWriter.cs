using System.Text.Json.Nodes;
using NativeVaccine.IO;

namespace NativeVaccine.Models;

/// <summary>
/// Writes config.json and generation_config.json in the form of transformers 4, which 5 reads, too; where layers differ, or their rotary
/// embeddings, with the fields that 5 has for that.
/// </summary>
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

    /// <summary>
    /// The source with the type that the weights have now, and no code to load with. What transformers 5 alone says of the rotary embedding
    /// stands there in the words of 4, too, which otherwise takes the defaults without a word; and where they go by two names of the
    /// activation, both say the same.
    /// </summary>
    private static JsonObject Edited(string source, ModelConfiguration configuration)
    {
        JsonObject json = JsonNode.Parse(source)!.AsObject();
        json.Remove("auto_map");
        foreach (string name in new[] { "dtype", "torch_dtype" })
        {
            if (json.ContainsKey(name)) json[name] = configuration.StoredType.TorchName();
        }
        if (configuration.Family.NamesActivationTwice) NameActivation(json, configuration);
        const string tied = "tie_word_embeddings";
        bool wasTied = json[tied]?.GetValue<bool>() ?? configuration.Family.TiesEmbedding;
        if (configuration.TieWordEmbeddings != wasTied) json[tied] = configuration.TieWordEmbeddings;
        bool isNew = json[RopeReader.NewName] is JsonObject { Count: > 0 } && json[RopeReader.OldName] is not JsonObject { Count: > 0 };
        if (isNew && configuration.Family.LocalRopeTheta is null)
        {
            json[RopeReader.ThetaName] = JsonText.Float(configuration.RopeTheta);
            if (Scaling(configuration.RopeScaling) is { } scaling) json[RopeReader.OldName] = scaling;
        }
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
        bool hasHeadSize = configuration.Family.HeadSize is not null || configuration.QuerySize != configuration.HiddenSize;
        if (hasHeadSize) json["head_dim"] = configuration.HeadSize;
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

    private static JsonObject NewFields(ModelConfiguration configuration)
    {
        var json = new JsonObject
        {
            ["architectures"] = new JsonArray(configuration.Family.CausalClass),
            ["model_type"] = configuration.Family.Type,
        };
        NameActivation(json, configuration);
        json["initializer_range"] = JsonText.Float(0.02);
        json["attention_dropout"] = JsonText.Float(0);
        json["use_cache"] = true;
        return json;
    }

    private static void NameActivation(JsonObject json, ModelConfiguration configuration)
    {
        string name = NameOf(configuration.Activation);
        if (configuration.Family.NamesActivationTwice) json["hidden_act"] = name;
        json[configuration.Family.ActivationField] = name;
    }

    private static void WriteRope(JsonObject json, ModelConfiguration configuration)
    {
        var global = new RotaryEmbedding(configuration.RopeTheta, configuration.RopeScaling);
        if (configuration.LocalRope is { } local)
        {
            json[RopeReader.NewName] = new JsonObject
            {
                [SlidingWindowReader.Full] = WithTheta(global),
                [SlidingWindowReader.Windowed] = WithTheta(local),
            };
            return;
        }
        json[RopeReader.ThetaName] = JsonText.Float(global.Theta);
        json[RopeReader.OldName] = Scaling(global.Scaling);
    }

    private static JsonObject WithTheta(RotaryEmbedding rope)
    {
        JsonObject json = Scaling(rope.Scaling) ?? new JsonObject { ["rope_type"] = "default" };
        json[RopeReader.ThetaName] = JsonText.Float(rope.Theta);
        return json;
    }

    private static JsonObject? Scaling(RopeScaling scaling) => scaling.Kind switch
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

    private static void WriteFamily(JsonObject json, ModelConfiguration configuration)
    {
        ModelFamily family = configuration.Family;
        if (family.Has("attention_bias")) json["attention_bias"] = configuration.OutputBias;
        if (family.Has("mlp_bias")) json["mlp_bias"] = configuration.MlpBias;
        if (configuration.QueryScalar is { } scalar) json["query_pre_attn_scalar"] = JsonText.Number(scalar);
        WriteCap("attn_logit_softcapping", configuration.AttentionCap);
        WriteCap("final_logit_softcapping", configuration.LogitCap);
        WriteWindows(json, configuration);

        void WriteCap(string name, double cap)
        {
            if (family.Has(name)) json[name] = cap == 0 ? null : JsonText.Float(cap);
        }
    }

    private static void WriteWindows(JsonObject json, ModelConfiguration configuration)
    {
        (ModelFamily family, int window) = (configuration.Family, configuration.SlidingWindow);
        if (family.Windows == WindowRule.FromMaxWindowLayers) json["use_sliding_window"] = window > 0;
        bool isNamed = family.Windows is WindowRule.All or WindowRule.AllButEveryNth || (window > 0 && family.Windows != WindowRule.None);
        if (isNamed) json["sliding_window"] = window == 0 ? null : window;
        bool isRule = configuration.WindowedLayers.IsEmpty && family.Windows != WindowRule.AllButEveryNth;
        if (isRule && family.Windows == WindowRule.FromMaxWindowLayers && window > 0) json["max_window_layers"] = 0;
        if (isRule) return;
        IEnumerable<bool> layers =
            configuration.WindowedLayers.IsEmpty ? Enumerable.Repeat(window > 0, configuration.LayerCount) : configuration.WindowedLayers;
        json["layer_types"] = new JsonArray(
            [.. layers.Select(static windowed => (JsonNode)(windowed ? SlidingWindowReader.Windowed : SlidingWindowReader.Full))]);
    }

    /// <summary>What config.json calls an activation.</summary>
    public static string NameOf(Activation activation) => activation == Activation.Silu ? "silu" : "gelu_pytorch_tanh";

    private static JsonNode? EndOfSequence(ModelConfiguration configuration) => configuration.EndOfSequenceIds switch
    {
        [] => null,
        [int single] => single,
        var several => new JsonArray([.. several.Select(static id => (JsonNode)id)]),
    };
}
