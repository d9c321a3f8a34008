using System.Text.Json;
using System.Text.RegularExpressions;
using NativeVaccine.Data;

namespace NativeVaccine.Tokenization;

/// <summary>Reads tokenizer.json of Hugging Face's tokenizers, as far as it describes byte-level BPE, or whole words.</summary>
internal static class TokenizerJson
{
    /// <summary>Reads a tokenizer.</summary>
    /// <exception cref="InputException">It is damaged or of another kind.</exception>
    public static Tokenizer Parse(ReadOnlyMemory<byte> utf8, string source, TokenizerConfiguration configuration)
    {
        using JsonDocument document = JsonInput.Parse(utf8, source);
        JsonElement root = document.RootElement;
        JsonInput.RequireObject(root, source);
        JsonElement model = JsonInput.Required(root, "model", source);
        JsonInput.RequireObject(model, $"{source}: model");
        if (JsonInput.OptionalText(model, "type", $"{source}: model") == "WordLevel")
            return WordLevel(root, model, source, configuration);

        TextPreparation preparation = Preparation(root, source);
        RequireByteLevelBpe(model, source);
        Dictionary<int, AddedToken> added = AddedTokens(root, source, configuration);
        ByteLevelVocabulary vocabulary = ByteLevelVocabulary.FromMerges(
            Vocabulary(JsonInput.Required(model, "vocab", source), $"{source}: vocab"),
            Merges(JsonInput.Required(model, "merges", source), $"{source}: merges"),
            added.Keys,
            JsonInput.Optional(model, "ignore_merges") is { ValueKind: JsonValueKind.True },
            source);

        int? templateBegin = OpeningToken(JsonInput.Optional(root, "post_processor"), $"{source}: post_processor");
        var special = SpecialTokens.Resolve(
            configuration, text => IdOf(added, text), templateBegin, ownEnd: null, addsByDefault: templateBegin is not null);
        return new ByteLevelTokenizer(vocabulary, preparation, added, special, source);
    }

    private static WordLevelTokenizer WordLevel(JsonElement root, JsonElement model, string source, TokenizerConfiguration configuration)
    {
        string where = $"{source}: pre_tokenizer";
        IEnumerable<JsonElement> preTokenizers = Steps(JsonInput.Optional(root, "pre_tokenizer"), "pretokenizers", where);
        string[] steps = [.. preTokenizers.Select(step => JsonInput.RequiredText(step, "type", where))];
        if (steps is not ["WhitespaceSplit"])
        {
            string found = JsonInput.Excerpt(string.Join(", ", steps));
            throw new InputException($"{where}: found '{found}': expected WhitespaceSplit, the only one supported for whole words");
        }

        Dictionary<int, AddedToken> added = AddedTokens(root, source, configuration);
        int? templateBegin = OpeningToken(JsonInput.Optional(root, "post_processor"), $"{source}: post_processor");
        var special =
            SpecialTokens.Resolve(configuration, text => IdOf(added, text), templateBegin, ownEnd: null, templateBegin is not null);
        return new WordLevelTokenizer(Vocabulary(JsonInput.Required(model, "vocab", source), $"{source}: vocab"), added, special, source);
    }

    /// <summary>The vocabulary of tokenizer.json or vocab.json: token to id.</summary>
    public static Dictionary<string, int> Vocabulary(JsonElement vocabulary, string where)
    {
        JsonInput.RequireObject(vocabulary, where);
        var ids = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (JsonProperty token in vocabulary.EnumerateObject())
            ids[token.Name] = TokenizerConfiguration.Id(token.Value, $"{where}: '{JsonInput.Excerpt(token.Name)}'");
        return ids;
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

    private static void RequireByteLevelBpe(JsonElement model, string source)
    {
        string type = JsonInput.OptionalText(model, "type", $"{source}: model") ?? "BPE";
        if (type != "BPE" || JsonInput.Optional(model, "byte_fallback") is { ValueKind: JsonValueKind.True })
            throw new InputException(
                $"{source}: a model of type {JsonInput.Excerpt(type)} that is not byte-level: "
                + "expected byte-level BPE, or a tokenizer.model beside it");
    }

    /// <summary>Merges are written "a b", or ["a", "b"] where a token may hold a space.</summary>
    private static IEnumerable<(string Left, string Right)> Merges(JsonElement merges, string where)
    {
        if (merges.ValueKind != JsonValueKind.Array)
            throw new InputException($"{where}: found {JsonInput.Describe(merges)}: expected an array");
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

    private static Dictionary<int, AddedToken> AddedTokens(JsonElement root, string source, TokenizerConfiguration configuration)
    {
        var added = new Dictionary<int, AddedToken>(configuration.AddedTokens);
        if (JsonInput.Optional(root, "added_tokens") is not { } tokens)
            return added;
        string where = $"{source}: added_tokens";
        if (tokens.ValueKind != JsonValueKind.Array)
            throw new InputException($"{where}: found {JsonInput.Describe(tokens)}: expected an array");
        foreach (JsonElement token in tokens.EnumerateArray())
        {
            AddedToken content = TokenizerConfiguration.Added(token, where);
            added[TokenizerConfiguration.Id(JsonInput.Required(token, "id", where), where)] = content;
        }

        return added;
    }

    private static TextPreparation Preparation(JsonElement root, string source)
    {
        var patterns = new List<Regex>();
        bool byteLevel = false;
        bool prefixSpace = false;
        string where = $"{source}: pre_tokenizer";
        foreach (JsonElement step in Steps(JsonInput.Optional(root, "pre_tokenizer"), "pretokenizers", where))
        {
            switch (JsonInput.RequiredText(step, "type", where))
            {
                case "ByteLevel":
                    byteLevel = true;
                    prefixSpace = JsonInput.Optional(step, "add_prefix_space") is { ValueKind: JsonValueKind.True };
                    if (prefixSpace && patterns.Count > 0)
                        throw new InputException(
                            $"{where}: add_prefix_space after another step is not supported: it would prefix every piece");
                    if (JsonInput.Optional(step, "use_regex") is not { ValueKind: JsonValueKind.False })
                        patterns.Add(SplitPatterns.Find(SplitPatterns.Gpt2, where));
                    break;
                case "Split":
                    patterns.Add(SplitPatterns.Find(SplitPattern(step, where), where));
                    break;
                case "Digits" when JsonInput.Optional(step, "individual_digits") is { ValueKind: JsonValueKind.True }:
                    patterns.Add(SplitPatterns.Find(SplitPatterns.SingleDigits, where));
                    break;
                case string type:
                    throw new InputException(
                        $"{where}: '{JsonInput.Excerpt(type)}' is not supported: expected Split, Digits (individual) and ByteLevel");
            }
        }

        if (!byteLevel)
            throw new InputException($"{where}: no ByteLevel step: expected byte-level BPE, or a tokenizer.model beside it");
        return new TextPreparation(patterns, NormalizesToNfc(root, $"{source}: normalizer"), prefixSpace);
    }

    private static string SplitPattern(JsonElement step, string where)
    {
        if (JsonInput.OptionalText(step, "behavior", where) != "Isolated")
            throw new InputException($"{where}: Split with a behavior other than Isolated is not supported");
        JsonElement pattern = JsonInput.Required(step, "pattern", where);
        JsonInput.RequireObject(pattern, $"{where}: pattern");
        return JsonInput.OptionalText(pattern, "Regex", where) ?? Regex.Escape(JsonInput.RequiredText(pattern, "String", where));
    }

    private static bool NormalizesToNfc(JsonElement root, string where)
    {
        bool normalizes = false;
        foreach (JsonElement step in Steps(JsonInput.Optional(root, "normalizer"), "normalizers", where))
        {
            string type = JsonInput.RequiredText(step, "type", where);
            if (type != "NFC")
                throw new InputException($"{where}: '{JsonInput.Excerpt(type)}' is not supported: expected none, or NFC");
            normalizes = true;
        }

        return normalizes;
    }

    /// <summary>The token that the template puts before the text; null if there is none.</summary>
    private static int? OpeningToken(JsonElement? postProcessor, string where)
    {
        int? opening = null;
        foreach (JsonElement step in Steps(postProcessor, "processors", where))
        {
            string type = JsonInput.RequiredText(step, "type", where);
            if (type == "TemplateProcessing")
                opening = TemplateOpening(step, where);
            else if (type != "ByteLevel")
                throw new InputException(
                    $"{where}: '{JsonInput.Excerpt(type)}' is not supported: expected TemplateProcessing and ByteLevel");
        }

        return opening;
    }

    private static int? TemplateOpening(JsonElement template, string where)
    {
        JsonElement single = JsonInput.Required(template, "single", where);
        if (single.ValueKind != JsonValueKind.Array || single.GetArrayLength() == 0)
            throw new InputException($"{where}: single is {JsonInput.Describe(single)}: expected an array of steps");
        JsonElement first = single[0];
        JsonInput.RequireObject(first, $"{where}: single");
        if (JsonInput.Optional(first, "SpecialToken") is not { } token)
            return null;
        if (single.GetArrayLength() < 2 || single[1].ValueKind != JsonValueKind.Object || JsonInput.Optional(single[1], "Sequence") is null)
            throw new InputException($"{where}: the template opens with more than one token, which is not supported");
        JsonInput.RequireObject(token, $"{where}: SpecialToken");
        string name = JsonInput.RequiredText(token, "id", where);
        JsonElement table = JsonInput.Required(template, "special_tokens", where);
        JsonInput.RequireObject(table, $"{where}: special_tokens");
        string whereEntry = $"{where}: special token '{JsonInput.Excerpt(name)}'";
        if (JsonInput.Optional(table, name) is not { } entry)
            throw new InputException($"{whereEntry} is missing in special_tokens");
        JsonInput.RequireObject(entry, whereEntry);
        int[] ids = JsonInput.Integers(JsonInput.Required(entry, "ids", whereEntry), "ids", whereEntry);
        return ids is [>= 0 and <= TokenizerConfiguration.LargestId]
            ? ids[0]
            : throw new InputException($"{whereEntry} has {ids.Length} ids: expected one id from 0 to {TokenizerConfiguration.LargestId}");
    }

    /// <summary>The steps of a component: those of its list if it is a Sequence, else itself; none if it is absent.</summary>
    private static IEnumerable<JsonElement> Steps(JsonElement? component, string listName, string where)
    {
        if (component is not { } value)
            yield break;
        JsonInput.RequireObject(value, where);
        if (JsonInput.OptionalText(value, "type", where) != "Sequence")
        {
            yield return value;
            yield break;
        }

        JsonElement list = JsonInput.Required(value, listName, where);
        if (list.ValueKind != JsonValueKind.Array)
            throw new InputException($"{where}: {listName} is {JsonInput.Describe(list)}: expected an array");
        foreach (JsonElement step in list.EnumerateArray())
        {
            foreach (JsonElement inner in Steps(step, listName, where))
                yield return inner;
        }
    }
}
