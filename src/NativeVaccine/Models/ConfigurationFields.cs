using NativeVaccine.IO;

namespace NativeVaccine.Models;

/// <summary>
/// What is known of the fields of config.json (transformers 4.44 and 5.23): those that <see cref="ModelConfigurationReader"/> reads, in all
/// families or in some (<see cref="ModelFamily"/>), and those that change no number here. A field that is in neither list and is set may
/// change what transformers computes, so it is named.
/// </summary>
internal static class ConfigurationFields
{
    private static readonly HashSet<string> Read = new(StringComparer.Ordinal)
    {
        "architectures", "model_type", "hidden_act", "quantization_config", "is_causal", "use_bidirectional_attention",
        "num_attention_heads", "hidden_size", "num_hidden_layers", "vocab_size", "intermediate_size", "num_key_value_heads",
        "head_dim", "max_position_embeddings", "rms_norm_eps", "rope_theta", "rope_scaling", "rope_parameters",
        "partial_rotary_factor", "original_max_position_embeddings", "attention_dropout", "tie_word_embeddings", "bos_token_id",
        "eos_token_id", "dtype", "torch_dtype",
    };

    private static readonly HashSet<string> Harmless = new(StringComparer.Ordinal)
    {
        // Where the file comes from, and which classes to load with.
        "transformers_version", "_name_or_path", "name_or_path", "_commit_hash", "auto_map", "tokenizer_class", "finetuning_task",
        "task_specific_params", "problem_type", "id2label", "label2id", "num_labels", "unsloth_version", "unsloth_fixed",
        // How a model is run; the numbers are the same but for rounding.
        "use_cache", "pretraining_tp", "torchscript", "use_bfloat16", "gradient_checkpointing", "return_dict", "output_attentions",
        "output_hidden_states", "tf_legacy_loss", "attn_implementation", "_attn_implementation", "_attn_implementation_autoset",
        "cache_implementation",
        // How weights began.
        "initializer_range",
        // Nothing that these families have.
        "is_encoder_decoder", "is_decoder", "add_cross_attention", "cross_attention_hidden_size", "tie_encoder_decoder",
        "chunk_size_feed_forward", "max_sequence_length", "seq_length", "decoder_start_token_id", "sep_token_id", "prefix",
        // The embedding's gradient at this row; a sample's own tokens are never padding here.
        "pad_token_id",
        // Sampling and lengths; greedy decoding obeys none of these.
        "max_length", "min_length", "do_sample", "temperature", "top_k", "top_p", "typical_p", "early_stopping", "num_beams",
        "num_beam_groups", "diversity_penalty", "length_penalty", "num_return_sequences", "output_scores", "return_dict_in_generate",
    };

    /// <summary>Old files list these with a value that means nothing.</summary>
    private static readonly Dictionary<string, double> Defaults = new(StringComparer.Ordinal) { ["repetition_penalty"] = 1 };

    /// <summary>A line that names the fields that are set and not known; null if there are none.</summary>
    public static string? NoticeOfUnknown(JsonFields fields, ModelFamily family) => NoticeOfUnknown(
        fields, name => Read.Contains(name) || Harmless.Contains(name) || family.Has(name));

    /// <summary>The same for the fields of an object inside.</summary>
    public static string? NoticeOfUnknown(JsonFields fields, Func<string, bool> isKnown)
    {
        string[] unknown = [.. fields.Element.EnumerateObject()
            .Where(field => !isKnown(field.Name) && !JsonRecord.IsUnset(field.Value, Defaults.GetValueOrDefault(field.Name, 0)))
            .Select(field => fields.Prefix + field.Name)];
        if (unknown.Length == 0) return null;
        string which = unknown.Length == 1 ? $"field {InputText.Some(unknown)} is" : $"fields {InputText.Some(unknown)} are";
        return $"{fields.File}: {which} not known to this program; transformers may compute with {(unknown.Length == 1 ? "it" : "them")}";
    }
}
