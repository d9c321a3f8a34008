using System.Text.Json;
using System.Text.RegularExpressions;
using NativeVaccine.IO;

namespace NativeVaccine.Tokenization;

/// <summary>Reads tokenizer.json of Hugging Face's tokenizers, as far as it describes BPE of bytes or with byte fallback, or whole words.</summary>
internal static class TokenizerJson
{
    private static readonly string[] SavedSettings = ["truncation", "padding"];

    /// <summary>Reads a tokenizer.</summary>
    /// <exception cref="InputException">It is damaged or of another kind.</exception>
    public static Tokenizer Parse(ReadOnlyMemory<byte> utf8, string source, TokenizerConfiguration configuration)
    {
        using JsonDocument document = JsonFile.Parse(utf8, source);
        JsonElement root = document.RootElement;
        JsonRecord.RequireObject(root, source);
        JsonElement model = JsonRecord.Required(root, "model", source);
        JsonRecord.RequireObject(model, $"{source}: model");
        NoteWhatIsNotObeyed(root, model, source, configuration.Notice);
        if (JsonRecord.OptionalText(model, "type", $"{source}: model") == "WordLevel")
            return WordLevel(root, model, source, configuration);
        if (JsonRecord.Optional(model, "byte_fallback") is { ValueKind: JsonValueKind.True })
        {
            RequireBpe(model, source);
            return ByteFallbackJson.Parse(root, model, source, configuration);
        }

        TextPreparation preparation = Preparation(root, source);
        RequireBpe(model, source);
        Dictionary<int, AddedToken> added = AddedTokens(root, source, configuration);
        ByteLevelVocabulary vocabulary = ByteLevelVocabulary.FromMerges(
            Vocabulary(JsonRecord.Required(model, "vocab", source), $"{source}: vocab"),
            Merges(JsonRecord.Required(model, "merges", source), $"{source}: merges"),
            added.Keys,
            JsonRecord.Optional(model, "ignore_merges") is { ValueKind: JsonValueKind.True },
            source);

        var special = SpecialTokens.Resolve(configuration, text => IdOf(added, text), SequenceFrame.Read(root, source));
        return new ByteLevelTokenizer(vocabulary, preparation, added, special, source);
    }

    private static WordLevelTokenizer WordLevel(JsonElement root, JsonElement model, string source, TokenizerConfiguration configuration)
    {
        string where = $"{source}: pre_tokenizer";
        IEnumerable<JsonElement> preTokenizers = Steps(JsonRecord.Optional(root, "pre_tokenizer"), "pretokenizers", where);
        string[] steps = [.. preTokenizers.Select(step => JsonRecord.RequiredText(step, "type", where))];
        if (steps is not ["WhitespaceSplit"])
        {
            string found = InputText.Shorten(string.Join(", ", steps));
            throw new InputException($"{where}: found '{found}': expected WhitespaceSplit, the only one supported for whole words");
        }

        Dictionary<int, AddedToken> added = AddedTokens(root, source, configuration);
        var special = SpecialTokens.Resolve(configuration, text => IdOf(added, text), SequenceFrame.Read(root, source));
        return new WordLevelTokenizer(Vocabulary(JsonRecord.Required(model, "vocab", source), $"{source}: vocab"), added, special, source);
    }

    /// <summary>The vocabulary of tokenizer.json or vocab.json: token to id.</summary>
    public static Dictionary<string, int> Vocabulary(JsonElement vocabulary, string where)
    {
        JsonRecord.RequireObject(vocabulary, where);
        var ids = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (JsonProperty token in vocabulary.EnumerateObject())
            ids[token.Name] = TokenizerConfiguration.Id(token.Value, $"{where}: '{InputText.Shorten(token.Name)}'");
        return ids;
    }

    /// <summary>One more than the largest id of a tokenizer.json of any kind.</summary>
    public static int Size(JsonElement root, string source)
    {
        JsonElement model = JsonRecord.Required(root, "model", source);
        JsonRecord.RequireObject(model, $"{source}: model");
        JsonElement vocabulary = JsonRecord.Required(model, "vocab", source);
        // Unigram's vocabulary is a list.
        int size = vocabulary.ValueKind == JsonValueKind.Array
            ? vocabulary.GetArrayLength()
            : Vocabulary(vocabulary, $"{source}: vocab").Values.DefaultIfEmpty(-1).Max() + 1;
        return Math.Max(size, AddedTokens(root, source, new TokenizerConfiguration { Source = source }).Keys.DefaultIfEmpty(-1).Max() + 1);
    }

    /// <summary>The id of an added token by its text.</summary>
    public static int? IdOf(IReadOnlyDictionary<int, AddedToken> added, string text)
    {
        foreach ((int id, AddedToken token) in added)
        {
            if (token.Text == text)
                return id;
        }

        return null;
    }

    private static void RequireBpe(JsonElement model, string source)
    {
        string type = JsonRecord.OptionalText(model, "type", $"{source}: model") ?? "BPE";
        if (type != "BPE")
            throw new InputException($"{source}: a model of type {InputText.Shorten(type)}: expected BPE, or a tokenizer.model beside it");
        foreach (string affix in new[] { "continuing_subword_prefix", "end_of_word_suffix" })
        {
            if (JsonRecord.OptionalText(model, affix, $"{source}: model") is { Length: > 0 })
                throw new InputException($"{source}: model: {affix} is not supported: expected none");
        }
    }

    /// <summary>
    /// Says which settings of a training run were saved with the tokenizer. Hugging Face's Rust library obeys them in every later call; here
    /// a text has always the same tokens, all of them.
    /// </summary>
    private static void NoteWhatIsNotObeyed(JsonElement root, JsonElement model, string source, Action<string> notice)
    {
        string[] saved =
        [
            .. JsonRecord.Optional(model, "dropout") is { ValueKind: JsonValueKind.Number } share && share.GetDouble() > 0
                ? ["model.dropout"]
                : Array.Empty<string>(),
            .. SavedSettings.Where(field => JsonRecord.Optional(root, field) is not null),
        ];
        if (saved.Length > 0)
            notice($"{source}: {string.Join(", ", saved)} {(saved.Length == 1 ? "is" : "are")} not obeyed: texts are tokenized whole, always alike");
    }

    /// <summary>Merges are written "a b", or ["a", "b"] where a token may hold a space.</summary>
    public static IEnumerable<(string Left, string Right)> Merges(JsonElement merges, string where)
    {
        if (merges.ValueKind != JsonValueKind.Array)
            throw new InputException($"{where}: found {JsonRecord.Describe(merges)}: expected an array");
        int index = 0;
        foreach (JsonElement merge in merges.EnumerateArray())
        {
            string[] pair = merge.ValueKind switch
            {
                JsonValueKind.String => merge.GetString()!.Split(' '),
                JsonValueKind.Array when merge.EnumerateArray().All(half => half.ValueKind == JsonValueKind.String) =>
                    [.. merge.EnumerateArray().Select(half => half.GetString()!)],
                _ => [],
            };
            if (pair.Length != 2)
                throw new InputException($"{where}: merge {index}: expected two tokens");
            yield return (pair[0], pair[1]);
            index++;
        }
    }

    /// <summary>The added tokens of tokenizer.json, and those that the files beside it add to them.</summary>
    public static Dictionary<int, AddedToken> AddedTokens(JsonElement root, string source, TokenizerConfiguration configuration)
    {
        var added = new Dictionary<int, AddedToken>(configuration.AddedTokens);
        if (JsonRecord.Optional(root, "added_tokens") is not { } tokens)
            return added;
        string where = $"{source}: added_tokens";
        if (tokens.ValueKind != JsonValueKind.Array)
            throw new InputException($"{where}: found {JsonRecord.Describe(tokens)}: expected an array");
        foreach (JsonElement token in tokens.EnumerateArray())
        {
            AddedToken content = TokenizerConfiguration.Added(token, where, source, configuration.SpecialNames);
            added[TokenizerConfiguration.Id(JsonRecord.Required(token, "id", where), where)] = content;
        }

        return added;
    }

    private static TextPreparation Preparation(JsonElement root, string source)
    {
        var patterns = new List<Regex>();
        bool byteLevel = false;
        bool prefixSpace = false;
        string where = $"{source}: pre_tokenizer";
        foreach (JsonElement step in Steps(JsonRecord.Optional(root, "pre_tokenizer"), "pretokenizers", where))
        {
            switch (JsonRecord.RequiredText(step, "type", where))
            {
                case "ByteLevel":
                    byteLevel = true;
                    prefixSpace = JsonRecord.Optional(step, "add_prefix_space") is { ValueKind: JsonValueKind.True };
                    if (prefixSpace && patterns.Count > 0)
                        throw new InputException(
                            $"{where}: add_prefix_space after another step is not supported: it would prefix every piece");
                    if (JsonRecord.Optional(step, "use_regex") is not { ValueKind: JsonValueKind.False })
                        patterns.Add(SplitPatterns.Find(SplitPatterns.Gpt2, where));
                    break;
                case "Split":
                    patterns.Add(SplitPatterns.Find(SplitPattern(step, where), where));
                    break;
                case "Digits" when JsonRecord.Optional(step, "individual_digits") is { ValueKind: JsonValueKind.True }:
                    patterns.Add(SplitPatterns.Find(SplitPatterns.SingleDigits, where));
                    break;
                case string type:
                    throw new InputException(
                        $"{where}: '{InputText.Shorten(type)}' is not supported: expected Split, Digits (individual) and ByteLevel");
            }
        }

        if (!byteLevel)
            throw new InputException(
                $"{where}: no ByteLevel step, and the model has no byte_fallback: expected one of them, or a tokenizer.model beside it");
        return new TextPreparation(patterns, NormalizesToNfc(root, $"{source}: normalizer"), prefixSpace);
    }

    private static string SplitPattern(JsonElement step, string where)
    {
        if (JsonRecord.OptionalText(step, "behavior", where) != "Isolated")
            throw new InputException($"{where}: Split with a behavior other than Isolated is not supported");
        JsonElement pattern = JsonRecord.Required(step, "pattern", where);
        JsonRecord.RequireObject(pattern, $"{where}: pattern");
        return JsonRecord.OptionalText(pattern, "Regex", where) ?? Regex.Escape(JsonRecord.RequiredText(pattern, "String", where));
    }

    private static bool NormalizesToNfc(JsonElement root, string where)
    {
        bool normalizes = false;
        foreach (JsonElement step in Steps(JsonRecord.Optional(root, "normalizer"), "normalizers", where))
        {
            string type = JsonRecord.RequiredText(step, "type", where);
            if (type != "NFC")
                throw new InputException($"{where}: '{InputText.Shorten(type)}' is not supported: expected none, or NFC");
            normalizes = true;
        }

        return normalizes;
    }

    /// <summary>What a Replace step replaces, and by what.</summary>
    public static (string From, string To) Replacement(JsonElement step, string where) =>
        (Literal(step, where), JsonRecord.RequiredText(step, "content", where));

    /// <summary>The text that a step looks for.</summary>
    public static string Literal(JsonElement step, string where)
    {
        JsonElement pattern = JsonRecord.Required(step, "pattern", where);
        JsonRecord.RequireObject(pattern, $"{where}: pattern");
        return JsonRecord.OptionalText(pattern, "String", where) is { Length: > 0 } text
            ? text
            : throw new InputException($"{where}: a pattern that is no text is not supported here: expected String");
    }

    /// <summary>Metaspace's prepend_scheme, or add_prefix_space of older files.</summary>
    public static PrependScheme Scheme(JsonElement step, string where) => JsonRecord.OptionalText(step, "prepend_scheme", where) switch
    {
        "always" => PrependScheme.Always,
        "first" => PrependScheme.First,
        "never" => PrependScheme.Never,
        null => JsonRecord.Optional(step, "add_prefix_space") is { ValueKind: JsonValueKind.False }
            ? PrependScheme.Never
            : PrependScheme.Always,
        { } other => throw new InputException(
            $"{where}: prepend_scheme is '{InputText.Shorten(other)}': expected first, always or never"),
    };

    /// <summary>The steps of a component: those of its list if it is a Sequence, else itself; none if it is absent.</summary>
    public static IEnumerable<JsonElement> Steps(JsonElement? component, string listName, string where)
    {
        if (component is not { } value)
            yield break;
        JsonRecord.RequireObject(value, where);
        if (JsonRecord.OptionalText(value, "type", where) != "Sequence")
        {
            yield return value;
            yield break;
        }

        JsonElement list = JsonRecord.Required(value, listName, where);
        if (list.ValueKind != JsonValueKind.Array)
            throw new InputException($"{where}: {listName} is {JsonRecord.Describe(list)}: expected an array");
        foreach (JsonElement step in list.EnumerateArray())
        {
            foreach (JsonElement inner in Steps(step, listName, where))
                yield return inner;
        }
    }
}
