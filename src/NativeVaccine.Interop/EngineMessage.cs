using System.Text.RegularExpressions;

namespace NativeVaccine.Interop;

/// <summary>
/// Says a message of the engine in the words of users. The engine's own names its function and argument, as its C ABI asks: what was being
/// done and the option or the field of config.json that it comes from say more.
/// </summary>
internal static partial class EngineMessage
{
    /// <summary>What a function does, by the beginning of its name; the first that fits counts.</summary>
    private static readonly (string Begin, string Deed)[] Deeds =
    [
        ("plan_", "planning the memory"),
        ("device_count", "looking for devices"),
        ("device_set_gemm", "choosing the GEMM backend"),
        ("device_", "opening the device"),
        ("session_create", "taking the planned memory"),
        ("session_forward", "the forward pass"),
        ("session_backward", "the backward pass"),
        ("session_read_", "reading results"),
        ("session_write_", "loading weights"),
        ("session_", "asking the engine"),
        ("decode_", "generating"),
        ("adamw_", "the optimizer's step"),
        ("site_", "working on activations"),
        ("vector_", "working on parameters"),
        ("scalars_", "reading sums"),
        ("", "the engine"),
    ];

    /// <summary>Arguments that come from what a user gave; those of more than one word wherever they stand.</summary>
    private static readonly Dictionary<string, string> Names = new(StringComparer.Ordinal)
    {
        ["activation_type"] = "the activations' type",
        ["decode_capacity"] = "the length of a prompt with its new tokens (--max-new-tokens)",
        ["decode_samples"] = "the number of prompts at a time",
        ["head_rows"] = "the number of labels in a batch",
        ["head_size"] = "head_dim",
        ["kv_heads"] = "num_key_value_heads",
        ["learning_rate"] = "--learning-rate",
        ["longest_sample"] = "the length of the longest sample (--max-length)",
        ["lora_alpha"] = "--lora-alpha",
        ["lora_dropout"] = "--dropout",
        ["lora_rank"] = "--lora-rank",
        ["lora_targets"] = "--lora-targets",
        ["max_samples"] = "the number of samples in a batch (--batch)",
        ["max_tokens"] = "the number of tokens in a batch (--batch, --max-length)",
        ["memory_limit"] = "--device-memory",
        ["recomputed_layers"] = "the number of recomputed layers",
        ["repetition_penalty"] = "--repetition-penalty",
        ["rms_epsilon"] = "rms_norm_eps",
        ["rope_factor"] = "rope_scaling.factor",
        ["rope_high_frequency_factor"] = "rope_scaling.high_freq_factor",
        ["rope_low_frequency_factor"] = "rope_scaling.low_freq_factor",
        ["rope_original_positions"] = "rope_scaling.original_max_position_embeddings",
        ["top_k"] = "--top-k",
        ["top_p"] = "--top-p",
        ["weight_decay"] = "--weight-decay",
        ["weight_type"] = "the weights' type",
    };

    /// <summary>The same for words that also mean something else; only where a message begins with them.</summary>
    private static readonly Dictionary<string, string> FirstNames = new(StringComparer.Ordinal)
    {
        ["beta1"] = "--beta1",
        ["beta2"] = "--beta2",
        ["clip"] = "--clip",
        ["epsilon"] = "--adam-epsilon",
        ["gemm"] = "--gemm",
        ["heads"] = "num_attention_heads",
        ["hidden"] = "hidden_size",
        ["intermediate"] = "intermediate_size",
        ["layers"] = "num_hidden_layers",
        ["threads"] = "--threads",
        ["vocabulary"] = "vocab_size",
    };

    /// <summary>The message of a failed call for people.</summary>
    /// <param name="message">The engine's: "vaccine_plan_create: lora_rank is 2000, expected 0 to 1024".</param>
    public static string ForUsers(string message)
    {
        Match call = Call().Match(message);
        if (!call.Success) return message;
        string function = call.Groups["function"].Value;
        string rest = Struct().Replace(message[call.Length..], "");
        rest = First().Replace(rest, static match => FirstNames.GetValueOrDefault(match.Value, match.Value));
        rest = Compound().Replace(rest, static match => Names.GetValueOrDefault(match.Value, match.Value));
        return $"{Deeds.First(deed => function.StartsWith(deed.Begin, StringComparison.Ordinal)).Deed}: {rest}";
    }

    [GeneratedRegex("^vaccine_(?<function>\\w+): ")]
    private static partial Regex Call();

    [GeneratedRegex("\\b(options|sampling|batch|prompts)\\.(?=[a-z])|\\bthe plan's (?=[a-z]+_)")]
    private static partial Regex Struct();

    [GeneratedRegex("^[a-z]+[0-9]?(?= is )")]
    private static partial Regex First();

    [GeneratedRegex("\\b[a-z]+(_[a-z]+)+\\b")]
    private static partial Regex Compound();
}
