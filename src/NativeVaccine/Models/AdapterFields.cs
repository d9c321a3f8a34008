using System.Text.Json;
using NativeVaccine.IO;

namespace NativeVaccine.Models;

/// <summary>
/// What is known of the fields of adapter_config.json: those that <see cref="AdapterTargets"/> and <see cref="AdapterFiles"/> read, those
/// that change nothing, and those that ask for more than LoRA. A field that is in none of these lists and is set is refused.
/// </summary>
internal static class AdapterFields
{
    public const string Merge = "merge it with peft (merge_and_unload, save_pretrained) and give that folder as --model";

    private static readonly HashSet<string> Read = new(StringComparer.Ordinal)
    {
        "peft_type", "task_type", "bias", "base_model_name_or_path", "r", "lora_alpha", "lora_dropout", "use_rslora", "init_lora_weights",
        "target_modules", "exclude_modules", "layers_to_transform", "layers_pattern", "rank_pattern", "alpha_pattern",
    };

    /// <summary>Seen in files of peft 0.5.0 to 0.21.2: a model that is not training gives the same numbers whatever they say.</summary>
    private static readonly HashSet<string> Harmless = new(StringComparer.Ordinal)
    {
        "auto_mapping", "inference_mode", "peft_version", "revision",  // where the files come from
        "megatron_core",                                               // read only with megatron_config
        "qalora_group_size",                                           // read only with use_qalora
        "ensure_weight_tying",                                         // about modules_to_save and adapted embeddings, which are refused
        "eva_config",                                                  // how A and B began; the base keeps its weights
        "velora_config", "monteclora_config",                          // how gradients are kept, what is drawn in training
    };

    /// <summary>Fields of peft 0.21.2 that change what the model computes, with what they do.</summary>
    private static readonly Dictionary<string, string> Unsupported = new(StringComparer.Ordinal)
    {
        ["alora_invocation_tokens"] = "aLoRA adapts only what follows these tokens",
        ["arrow_config"] = "Arrow chooses among several adapters token by token",
        ["corda_config"] = "CorDA changes the base weights",
        ["fan_in_fan_out"] = "the weights would be stored transposed",
        ["kasa_config"] = "KaSA changes the base weights and has a diagonal between B and A",
        ["layer_replication"] = "the adapter belongs to a deeper model, made of repeated layers",
        ["loftq_config"] = "LoftQ quantizes the base weights",
        ["lora_bias"] = "B has biases",
        ["lora_ga_config"] = "LoRA-GA changes the base weights",
        ["megatron_config"] = "it belongs to Megatron's layers",
        ["modules_to_save"] = "whole modules were trained besides LoRA",
        ["target_parameters"] = "LoRA on parameters that are no linear modules",
        ["trainable_token_indices"] = "rows of the embedding were trained besides LoRA",
        ["use_bdlora"] = "BD-LoRA has block-diagonal matrices",
        ["use_dora"] = "DoRA rescales the rows of each weight",
        ["use_qalora"] = "QA-LoRA pools the inputs in groups",
    };

    /// <summary>Ways to begin that leave the base weights as they are (peft 0.21.2).</summary>
    private static readonly string[] PlainBeginnings = ["gaussian", "orthogonal", "eva"];

    /// <summary>Refuses whatever makes the adapter more than B A added to the weights, but for PiSSA's change of the base.</summary>
    /// <returns>True if it is PiSSA's: the base loses its largest singular parts before B A is added.</returns>
    /// <exception cref="InputException">The first such field, with what it does and what to do.</exception>
    public static bool RequireLora(JsonFields fields)
    {
        string type = fields.Text("peft_type") ?? throw fields.Missing("peft_type", "LORA");
        if (type != "LORA") throw fields.Wrong("peft_type", InputText.Quote(type), "LORA");
        string task = fields.Text("task_type") ?? "CAUSAL_LM";
        if (task != "CAUSAL_LM") throw fields.Wrong("task_type", InputText.Quote(task), "CAUSAL_LM");
        string bias = fields.Text("bias") ?? "none";
        if (bias != "none") throw fields.Wrong("bias", InputText.Quote(bias), $"none: biases were trained besides LoRA; {Merge}");
        bool isPissa = TakesSingularParts(fields);
        foreach (JsonProperty field in fields.Element.EnumerateObject())
        {
            if (Read.Contains(field.Name) || Harmless.Contains(field.Name) || JsonRecord.IsUnset(field.Value)) continue;
            string expected = Unsupported.TryGetValue(field.Name, out string? what)
                ? $"null, false or nothing: {what}; {Merge}"
                : "no such field: this program does not know it (it knows those of peft 0.21.2), and it may change the numbers";
            throw fields.Wrong(InputText.Shorten(field.Name), field.Value, expected);
        }
        return isPissa;
    }

    private static bool TakesSingularParts(JsonFields fields)
    {
        const string field = "init_lora_weights";
        if (fields.Find(field) is not { } value || value.ValueKind is JsonValueKind.True or JsonValueKind.False) return false;
        string? name = value.ValueKind == JsonValueKind.String ? value.GetString() : null;
        if (PlainBeginnings.Contains(name, StringComparer.OrdinalIgnoreCase)) return false;
        if (name == "pissa") return true;
        const string plain = "true, false, gaussian, orthogonal, eva or pissa";
        const string convert =
            "convert it into a plain one where it was trained, by peft's save_pretrained with path_initial_model_for_weight_conversion";
        string advice = name?.StartsWith("pissa_niter_", StringComparison.Ordinal) is true
            ? $"the adapter belongs to base weights that were changed by a random, fast SVD, and not even peft gets the trained model back "
                + $"from this file; {convert}"
            : $"the adapter belongs to base weights that peft changes when it loads it; {convert}, or {Merge}";
        throw fields.Wrong(field, value, $"{plain}: {advice}");
    }
}
