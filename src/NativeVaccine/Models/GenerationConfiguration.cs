using System.Globalization;
using System.Text.Json;
using NativeVaccine.IO;

namespace NativeVaccine.Models;

/// <summary>
/// What generation_config.json says of decoding, as transformers' <c>generate</c> obeys it. Fields that would change what is written and are
/// not applied here are named, and so are unknown ones.
/// </summary>
public sealed record GenerationConfiguration
{
    /// <summary>Name of the file.</summary>
    public const string FileName = "generation_config.json";

    /// <summary>A field that changes what greedy decoding writes, and the number that changes nothing (besides null, false and empty).</summary>
    private static readonly Dictionary<string, double> NotApplied = new(StringComparer.Ordinal)
    {
        ["bad_words_ids"] = double.NaN,
        ["begin_suppress_tokens"] = double.NaN,
        ["constraints"] = double.NaN,
        ["custom_generate"] = double.NaN,
        ["dola_layers"] = double.NaN,
        ["encoder_no_repeat_ngram_size"] = 0,
        ["encoder_repetition_penalty"] = 1,
        ["exponential_decay_length_penalty"] = double.NaN,
        ["force_words_ids"] = double.NaN,
        ["forced_bos_token_id"] = double.NaN,
        ["forced_decoder_ids"] = double.NaN,
        ["forced_eos_token_id"] = double.NaN,
        ["guidance_scale"] = 1,
        ["max_time"] = double.NaN,
        ["min_length"] = 0,
        ["min_new_tokens"] = 0,
        ["no_repeat_ngram_size"] = 0,
        ["num_beam_groups"] = 1,
        ["num_beams"] = 1,
        ["num_return_sequences"] = 1,
        ["penalty_alpha"] = 0,
        ["sequence_bias"] = double.NaN,
        ["stop_strings"] = double.NaN,
        ["suppress_tokens"] = double.NaN,
        ["token_healing"] = double.NaN,
        ["watermarking_config"] = double.NaN,
    };

    /// <summary>The same for fields that count only where tokens are drawn.</summary>
    private static readonly Dictionary<string, double> NotAppliedInDraws = new(StringComparer.Ordinal)
    {
        ["epsilon_cutoff"] = 0,
        ["eta_cutoff"] = 0,
        ["min_p"] = 0,
        ["top_h"] = double.NaN,
        ["typical_p"] = 1,
    };

    /// <summary>Fields that are read, and fields that change nothing that is written here.</summary>
    private static readonly HashSet<string> Harmless = new(StringComparer.Ordinal)
    {
        "eos_token_id", "repetition_penalty", "do_sample", "temperature", "top_k", "top_p",
        "_from_model_config", "_commit_hash", "_original_object_hash", "transformers_version", "_name_or_path",
        "bos_token_id", "pad_token_id", "decoder_start_token_id",
        "use_cache", "cache_implementation", "cache_config", "return_legacy_cache", "return_dict_in_generate", "output_scores",
        "output_logits", "output_attentions", "output_hidden_states", "compile_config", "disable_compile", "prefill_chunk_size",
        "max_length", "max_new_tokens", "early_stopping", "length_penalty", "diversity_penalty", "low_memory", "renormalize_logits",
        "remove_invalid_values", "is_assistant", "num_assistant_tokens", "num_assistant_tokens_schedule", "assistant_confidence_threshold",
        "prompt_lookup_num_tokens", "max_matching_ngram_size", "assistant_early_exit", "assistant_lookbehind", "target_lookbehind",
        "generation_kwargs",
    };

    /// <summary>A continuation ends with the first of these.</summary>
    public IReadOnlyList<int> EndIds { get; init; } = [];

    /// <summary>Scores of tokens that stand in the text already are divided by it (multiplied, where negative); 1 for none.</summary>
    public double RepetitionPenalty { get; init; } = 1;

    /// <summary>Where tokens are drawn: only the likeliest so many; null where the file does not say.</summary>
    public int? TopK { get; init; }

    /// <summary>Where tokens are drawn: only the likeliest that together reach this probability; null where the file does not say.</summary>
    public double? TopP { get; init; }

    /// <summary>Lines on what the file says and this program does not do.</summary>
    public IReadOnlyList<string> Notices { get; init; } = [];

    /// <summary>The same, on fields that count only where tokens are drawn.</summary>
    public IReadOnlyList<string> NoticesOnDraws { get; init; } = [];

    /// <summary>
    /// Reads a model folder's generation_config.json. Its end tokens alone count, also where it names none; without the file those of
    /// config.json do.
    /// </summary>
    /// <exception cref="InputException">It is broken.</exception>
    public static GenerationConfiguration Read(string modelFolder, ModelConfiguration configuration)
    {
        string file = Path.Combine(modelFolder, FileName);
        if (!File.Exists(file)) return new GenerationConfiguration { EndIds = configuration.EndOfSequenceIds };
        using JsonDocument document = JsonFile.ReadObject(file);
        var fields = new JsonFields(file, document.RootElement);
        int[] ends = EndIdsOf(fields);
        var notices = new List<string>();
        if (ends.Length == 0)
            notices.Add($"{file}: no eos_token_id, so nothing but the limit of new tokens ends a continuation, as in transformers");
        string[] unknown = [.. document.RootElement.EnumerateObject().Select(static field => field.Name)
            .Where(static name => !(Harmless.Contains(name) || NotApplied.ContainsKey(name) || NotAppliedInDraws.ContainsKey(name)))];
        Add(notices, file, Set(fields, NotApplied), "would change what is written, and is not applied here");
        Add(notices, file, unknown, "is unknown here and ignored");
        var noticesOnDraws = new List<string>();
        Add(noticesOnDraws, file, Set(fields, NotAppliedInDraws), "would change what is drawn, and is not applied here");
        return new GenerationConfiguration
        {
            EndIds = ends,
            RepetitionPenalty = fields.Number("repetition_penalty", static value => value > 0, "a number above 0", 1),
            TopK = fields.Has("top_k") ? fields.WholeNumber("top_k", 0, int.MaxValue) : null,
            TopP = fields.Has("top_p") ? fields.Number("top_p", static value => value is > 0 and <= 1, "a number above 0, at most 1") : null,
            Notices = notices,
            NoticesOnDraws = noticesOnDraws,
        };
    }

    private static int[] EndIdsOf(JsonFields fields) => fields.Find("eos_token_id") switch
    {
        null => [],
        { ValueKind: JsonValueKind.Array } list =>
            [.. list.EnumerateArray().Select(id => fields.WholeNumber(id, "an element of eos_token_id", 0, int.MaxValue))],
        { } one => [fields.WholeNumber(one, "eos_token_id", 0, int.MaxValue)],
    };

    /// <summary>The fields of a table that are set to something that changes numbers, with their values.</summary>
    private static string[] Set(JsonFields fields, Dictionary<string, double> table) =>
    [
        .. table.Where(field => fields.Find(field.Key) is { } value && !JsonRecord.IsUnset(value, field.Value))
            .Select(field => $"{field.Key} {InputText.Shorten(fields.Find(field.Key)!.Value.GetRawText())}"),
    ];

    private static void Add(List<string> notices, string file, string[] fields, string what)
    {
        if (fields.Length == 0) return;
        string more = fields.Length == 1 ? "" : string.Create(CultureInfo.InvariantCulture, $" (each of these {fields.Length})");
        notices.Add($"{file}: {InputText.OneLine(string.Join(", ", fields))}{more} {what}");
    }
}
