using System.Text.Json;
using NativeVaccine.IO;

namespace NativeVaccine.Tokenization;

/// <summary>
/// Reads tokenizer.json of the SentencePiece kind. One vocabulary comes in several forms: the normalizer puts the leading space (Prepend and
/// Replace, as legacy Llama), the pre-tokenizer does (Metaspace, with its prepend_scheme), or nobody does (Gemma's Replace).
/// </summary>
internal static class ByteFallbackJson
{
    /// <summary>Reads a tokenizer.</summary>
    /// <exception cref="InputException">It is damaged, or has a part that is not supported.</exception>
    public static ByteFallbackTokenizer Parse(JsonElement root, JsonElement model, string source, TokenizerConfiguration configuration)
    {
        var vocabulary = new ByteFallbackVocabulary(
            TokenizerJson.Vocabulary(JsonRecord.Required(model, "vocab", source), $"{source}: vocab"),
            TokenizerJson.Merges(JsonRecord.Required(model, "merges", source), $"{source}: merges"),
            JsonRecord.Optional(model, "ignore_merges") is { ValueKind: JsonValueKind.True },
            source);
        Dictionary<int, AddedToken> added = TokenizerJson.AddedTokens(root, source, configuration);
        var special = SpecialTokens.Resolve(
            configuration, text => TokenizerJson.IdOf(added, text) ?? vocabulary.IdOf(text), SequenceFrame.Read(root, source));
        (Func<string, string> normalize, HashSet<string> replaced) = Normalizer(root, $"{source}: normalizer");
        return new ByteFallbackTokenizer(
            vocabulary,
            normalize,
            Preparation(root, $"{source}: pre_tokenizer", replaced),
            PieceDecoder.Read(JsonRecord.Optional(root, "decoder"), $"{source}: decoder"),
            added,
            special);
    }

    /// <summary>What the normalizer does, and the texts of which it leaves none.</summary>
    private static (Func<string, string> Normalize, HashSet<string> Replaced) Normalizer(JsonElement root, string where)
    {
        var steps = new List<Func<string, string>>();
        var replaced = new HashSet<string>(StringComparer.Ordinal);
        foreach (JsonElement step in TokenizerJson.Steps(JsonRecord.Optional(root, "normalizer"), "normalizers", where))
        {
            switch (JsonRecord.RequiredText(step, "type", where))
            {
                case "Prepend":
                    string prefix = JsonRecord.RequiredText(step, "prepend", where);
                    steps.Add(text => text.Length > 0 ? prefix + text : text);
                    break;
                case "Replace":
                    (string from, string to) = TokenizerJson.Replacement(step, where);
                    steps.Add(text => text.Replace(from, to, StringComparison.Ordinal));
                    if (!to.Contains(from, StringComparison.Ordinal))
                        replaced.Add(from);
                    break;
                case "NFC":
                    steps.Add(CanonicalComposition.Normalize);
                    break;
                case string type:
                    throw new InputException($"{where}: '{InputText.Shorten(type)}' is not supported: expected Prepend, Replace and NFC");
            }
        }

        return (text => steps.Aggregate(text, static (left, step) => step(left)), replaced);
    }

    private static SpacePreparation Preparation(JsonElement root, string where, HashSet<string> replaced)
    {
        SpacePreparation preparation = SpacePreparation.None;
        foreach (JsonElement step in TokenizerJson.Steps(JsonRecord.Optional(root, "pre_tokenizer"), "pretokenizers", where))
        {
            switch (JsonRecord.RequiredText(step, "type", where))
            {
                case "Metaspace" when preparation == SpacePreparation.None:
                    preparation = Metaspace(step, where);
                    break;
                // Gemma splits at spaces of which its normalizer has left none.
                case "Split" when replaced.Contains(TokenizerJson.Literal(step, where)):
                    break;
                case string type:
                    throw new InputException(
                        $"{where}: '{InputText.Shorten(type)}' is not supported here: expected none, Metaspace, or a Split at what the "
                        + "normalizer replaces; a tokenizer.model beside it would do");
            }
        }

        return preparation;
    }

    private static SpacePreparation Metaspace(JsonElement step, string where)
    {
        string space = JsonRecord.RequiredText(step, "replacement", where);
        if (space.Length != 1)
            throw new InputException($"{where}: replacement '{InputText.Shorten(space)}': expected one character");
        return new SpacePreparation(
            space, TokenizerJson.Scheme(step, where), JsonRecord.Optional(step, "split") is not { ValueKind: JsonValueKind.False });
    }
}
