using System.Globalization;
using System.Text.Json;
using NativeVaccine.IO;

namespace NativeVaccine.Tokenization;

/// <summary>
/// What the files beside a vocabulary say: tokenizer_config.json, special_tokens_map.json, added_tokens.json; of config.json
/// only its end token, where no other file names one.
/// </summary>
internal sealed record TokenizerConfiguration
{
    /// <summary>Larger token ids are taken for damage: tables are as long as the largest id.</summary>
    public const int LargestId = (1 << 22) - 1;

    /// <summary>The folder or file, for messages.</summary>
    public required string Source { get; init; }

    /// <summary>Told in a line what a user should know.</summary>
    public Action<string> Notice { get; init; } = static _ => { };

    /// <summary>add_bos_token, where it is given.</summary>
    public bool? AddBeginOfSequence { get; init; }

    /// <summary>add_eos_token, where it is given.</summary>
    public bool? AddEndOfSequence { get; init; }

    /// <summary>
    /// legacy of LlamaTokenizer, true unless given: text after an added token gets a leading space too, not only the text's beginning.
    /// </summary>
    public bool IsLegacy { get; init; } = true;

    /// <summary>
    /// Whether text gets a leading space whatever the vocabulary file says: LlamaTokenizer that is not legacy goes by add_prefix_space, true
    /// unless given. Null for all others.
    /// </summary>
    public bool? PutsSpaceFirst { get; init; }

    /// <summary>The text of bos_token.</summary>
    public string? BeginOfSequence { get; init; }

    /// <summary>The text of eos_token.</summary>
    public string? EndOfSequence { get; init; }

    /// <summary>tokenizer_class, where it is given.</summary>
    public string? TokenizerClass { get; init; }

    /// <summary>The texts that the files name as special tokens, whatever their flags say.</summary>
    public IReadOnlySet<string> SpecialNames { get; init; } = new HashSet<string>();

    /// <summary>Tokens outside the vocabulary file, by id.</summary>
    public IReadOnlyDictionary<int, AddedToken> AddedTokens { get; init; } = new Dictionary<int, AddedToken>();

    /// <summary>The first end token that config.json names; looked up only where the tokenizer's own files name none.</summary>
    public int? ModelEnd { get; init; }

    /// <summary>Reads what there is in a model folder; every file is optional.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="notice">Told in a line what a user should know.</param>
    public static TokenizerConfiguration Read(string folder, Action<string>? notice = null)
    {
        using JsonDocument? configuration = Open(folder, "tokenizer_config.json");
        using JsonDocument? map = Open(folder, "special_tokens_map.json");
        string source = Path.Combine(folder, "tokenizer_config.json");
        HashSet<string> specials = [.. SpecialTexts(configuration).Concat(SpecialTexts(map))];
        var added = new Dictionary<int, AddedToken>();
        ReadAddedTokensByText(folder, added, specials);
        if (configuration is not null && JsonRecord.Optional(configuration.RootElement, "added_tokens_decoder") is { } decoder)
            ReadAddedTokensById(decoder, source, added, specials);
        JsonElement fields = configuration?.RootElement ?? default;
        string? end = TokenText(configuration, map, "eos_token", folder);
        string? tokenizerClass = configuration is null ? null : JsonRecord.OptionalText(fields, "tokenizer_class", source);
        bool isLegacy = configuration is null || (OptionalBoolean(fields, "legacy", source) ?? true);
        bool isLlama = tokenizerClass is "LlamaTokenizer" or "LlamaTokenizerFast";
        return new TokenizerConfiguration
        {
            Source = source,
            Notice = notice ?? (static _ => { }),
            SpecialNames = specials,
            AddBeginOfSequence = configuration is null ? null : OptionalBoolean(fields, "add_bos_token", source),
            AddEndOfSequence = configuration is null ? null : OptionalBoolean(fields, "add_eos_token", source),
            IsLegacy = isLegacy,
            PutsSpaceFirst = isLlama && !isLegacy ? OptionalBoolean(fields, "add_prefix_space", source) ?? true : null,
            BeginOfSequence = TokenText(configuration, map, "bos_token", folder),
            EndOfSequence = end,
            TokenizerClass = tokenizerClass,
            AddedTokens = added,
            ModelEnd = end is null ? EndIds(folder).FirstOrDefault() : null,
        };
    }

    /// <summary>A token id: a whole number from 0 to <see cref="LargestId"/>.</summary>
    public static int Id(JsonElement value, string where) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int id) && id is >= 0 and <= LargestId
            ? id
            : throw new InputException($"{where}: token id {JsonRecord.Describe(value)}: expected a whole number from 0 to {LargestId}");

    private static JsonDocument? Open(string folder, string name)
    {
        string path = Path.Combine(folder, name);
        if (!File.Exists(path))
            return null;
        JsonDocument document = JsonFile.Parse(InputFile.ReadText(path), path);
        JsonRecord.RequireObject(document.RootElement, path);
        return document;
    }

    private static bool? OptionalBoolean(JsonElement record, string field, string where) => JsonRecord.Optional(record, field) switch
    {
        null => null,
        { ValueKind: JsonValueKind.True } => true,
        { ValueKind: JsonValueKind.False } => false,
        { } value => throw new InputException($"{where}: field '{field}' is {JsonRecord.Describe(value)}: expected true or false"),
    };

    /// <summary>tokenizer_config.json goes before special_tokens_map.json; a token is a string, or an object with its content.</summary>
    private static string? TokenText(JsonDocument? configuration, JsonDocument? map, string field, string folder)
    {
        foreach (JsonDocument? document in new[] { configuration, map })
        {
            if (document is null || JsonRecord.Optional(document.RootElement, field) is not { } value)
                continue;
            string name = document == configuration ? "tokenizer_config.json" : "special_tokens_map.json";
            string where = Path.Combine(folder, name);
            string text = value.ValueKind == JsonValueKind.Object
                ? JsonRecord.RequiredText(value, "content", $"{where}: {field}")
                : JsonRecord.RequiredText(document.RootElement, field, where);
            // Early folders of Llama have empty texts, and mean the vocabulary's own tokens.
            if (text.Length > 0)
                return text;
        }

        return null;
    }

    /// <summary>The texts of bos_token, pad_token and the like, and those of the lists of further special tokens.</summary>
    private static IEnumerable<string> SpecialTexts(JsonDocument? document)
    {
        if (document is null)
            yield break;
        foreach (JsonProperty field in document.RootElement.EnumerateObject())
        {
            IEnumerable<JsonElement> values = (field.Name, field.Value.ValueKind) switch
            {
                ("additional_special_tokens" or "extra_special_tokens", JsonValueKind.Array) => field.Value.EnumerateArray(),
                ("extra_special_tokens", JsonValueKind.Object) => field.Value.EnumerateObject().Select(static token => token.Value),
                (string name, _) when name.EndsWith("_token", StringComparison.Ordinal) => [field.Value],
                _ => [],
            };
            foreach (JsonElement value in values)
            {
                JsonElement? text = value.ValueKind == JsonValueKind.Object ? JsonRecord.Optional(value, "content") : value;
                if (text is { ValueKind: JsonValueKind.String } found && found.GetString() is { Length: > 0 } name)
                    yield return name;
            }
        }
    }

    /// <summary>The file has no flags: as transformers reads it, a token is special if another file names it as one.</summary>
    private static void ReadAddedTokensByText(string folder, Dictionary<int, AddedToken> added, HashSet<string> specials)
    {
        using JsonDocument? document = Open(folder, "added_tokens.json");
        if (document is null)
            return;
        string path = Path.Combine(folder, "added_tokens.json");
        foreach (JsonProperty token in document.RootElement.EnumerateObject())
        {
            bool special = specials.Contains(token.Name);
            added[Id(token.Value, $"{path}: '{InputText.Shorten(token.Name)}'")] =
                new AddedToken(token.Name, special) { IsNormalized = !special, Source = path };
        }
    }

    private static void ReadAddedTokensById(
        JsonElement decoder, string source, Dictionary<int, AddedToken> added, HashSet<string> specials)
    {
        JsonRecord.RequireObject(decoder, $"{source}: added_tokens_decoder");
        foreach (JsonProperty token in decoder.EnumerateObject())
        {
            string where = $"{source}: added_tokens_decoder '{InputText.Shorten(token.Name)}'";
            if (!int.TryParse(token.Name, NumberStyles.None, CultureInfo.InvariantCulture, out int id) || id > LargestId)
                throw new InputException($"{where}: expected a token id from 0 to {LargestId}");
            added[id] = Added(token.Value, where, source, specials);
        }
    }

    /// <summary>An added token as tokenizer.json and tokenizer_config.json describe it.</summary>
    /// <param name="token">Its description.</param>
    /// <param name="where">Where it stands, for messages.</param>
    /// <param name="source">Its file.</param>
    /// <param name="specials">Texts that are special whatever the description says.</param>
    public static AddedToken Added(JsonElement token, string where, string source, IReadOnlySet<string> specials)
    {
        JsonRecord.RequireObject(token, where);
        string text = JsonRecord.RequiredText(token, "content", where);
        return new AddedToken(text, Flag("special") || specials.Contains(text))
        {
            IsSingleWord = Flag("single_word"),
            StripsLeft = Flag("lstrip"),
            StripsRight = Flag("rstrip"),
            IsNormalized = Flag("normalized"),
            Source = source,
        };

        bool Flag(string name) => OptionalBoolean(token, name, where) ?? false;
    }

    private static IEnumerable<int?> EndIds(string folder)
    {
        using JsonDocument? document = Open(folder, "config.json");
        if (document is null || JsonRecord.Optional(document.RootElement, "eos_token_id") is not { } value)
            return [];
        string where = $"{Path.Combine(folder, "config.json")}: eos_token_id";
        return value.ValueKind == JsonValueKind.Array ? [.. value.EnumerateArray().Select(id => (int?)Id(id, where))] : [Id(value, where)];
    }
}
