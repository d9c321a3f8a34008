using System.Globalization;
using System.Text.Json;
using NativeVaccine.IO;

namespace NativeVaccine.Tokenization;

/// <summary>
/// What the files beside a vocabulary say: tokenizer_config.json, special_tokens_map.json, added_tokens.json, config.json.
/// </summary>
internal sealed record TokenizerConfiguration
{
    /// <summary>Larger token ids are taken for damage: tables are as long as the largest id.</summary>
    public const int LargestId = (1 << 22) - 1;

    /// <summary>The folder or file, for messages.</summary>
    public required string Source { get; init; }

    /// <summary>add_bos_token, where it is given.</summary>
    public bool? AddBeginOfSequence { get; init; }

    /// <summary>The text of bos_token.</summary>
    public string? BeginOfSequence { get; init; }

    /// <summary>The text of eos_token.</summary>
    public string? EndOfSequence { get; init; }

    /// <summary>tokenizer_class, where it is given.</summary>
    public string? TokenizerClass { get; init; }

    /// <summary>Tokens outside the vocabulary file, by id.</summary>
    public IReadOnlyDictionary<int, AddedToken> AddedTokens { get; init; } = new Dictionary<int, AddedToken>();

    /// <summary>The end tokens that config.json and generation_config.json name.</summary>
    public IReadOnlyList<int> EndOfSequenceIds { get; init; } = [];

    /// <summary>Reads what there is in a model folder; every file is optional.</summary>
    public static TokenizerConfiguration Read(string folder)
    {
        using JsonDocument? configuration = Open(folder, "tokenizer_config.json");
        using JsonDocument? map = Open(folder, "special_tokens_map.json");
        string source = Path.Combine(folder, "tokenizer_config.json");
        var added = new Dictionary<int, AddedToken>();
        ReadAddedTokensByText(folder, added);
        if (configuration is not null && JsonRecord.Optional(configuration.RootElement, "added_tokens_decoder") is { } decoder)
            ReadAddedTokensById(decoder, source, added);
        return new TokenizerConfiguration
        {
            Source = source,
            AddBeginOfSequence = configuration is null ? null : OptionalBoolean(configuration.RootElement, "add_bos_token", source),
            BeginOfSequence = TokenText(configuration, map, "bos_token", folder),
            EndOfSequence = TokenText(configuration, map, "eos_token", folder),
            TokenizerClass = configuration is null ? null : JsonRecord.OptionalText(configuration.RootElement, "tokenizer_class", source),
            AddedTokens = added,
            EndOfSequenceIds = [.. EndIds(folder, "config.json").Concat(EndIds(folder, "generation_config.json")).Distinct()],
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
            return value.ValueKind == JsonValueKind.Object
                ? JsonRecord.RequiredText(value, "content", $"{where}: {field}")
                : JsonRecord.RequiredText(document.RootElement, field, where);
        }

        return null;
    }

    private static void ReadAddedTokensByText(string folder, Dictionary<int, AddedToken> added)
    {
        using JsonDocument? document = Open(folder, "added_tokens.json");
        if (document is null)
            return;
        string path = Path.Combine(folder, "added_tokens.json");
        foreach (JsonProperty token in document.RootElement.EnumerateObject())
            added[Id(token.Value, $"{path}: '{InputText.Shorten(token.Name)}'")] = new AddedToken(token.Name, IsSpecial: true);
    }

    private static void ReadAddedTokensById(JsonElement decoder, string source, Dictionary<int, AddedToken> added)
    {
        JsonRecord.RequireObject(decoder, $"{source}: added_tokens_decoder");
        foreach (JsonProperty token in decoder.EnumerateObject())
        {
            string where = $"{source}: added_tokens_decoder '{InputText.Shorten(token.Name)}'";
            if (!int.TryParse(token.Name, NumberStyles.None, CultureInfo.InvariantCulture, out int id) || id > LargestId)
                throw new InputException($"{where}: expected a token id from 0 to {LargestId}");
            added[id] = Added(token.Value, where);
        }
    }

    /// <summary>An added token as tokenizer.json and tokenizer_config.json describe it.</summary>
    public static AddedToken Added(JsonElement token, string where)
    {
        JsonRecord.RequireObject(token, where);
        return new AddedToken(JsonRecord.RequiredText(token, "content", where), OptionalBoolean(token, "special", where) ?? false);
    }

    private static IEnumerable<int> EndIds(string folder, string name)
    {
        using JsonDocument? document = Open(folder, name);
        if (document is null || JsonRecord.Optional(document.RootElement, "eos_token_id") is not { } value)
            return [];
        string where = $"{Path.Combine(folder, name)}: eos_token_id";
        return value.ValueKind == JsonValueKind.Array ? [.. value.EnumerateArray().Select(id => Id(id, where))] : [Id(value, where)];
    }
}
