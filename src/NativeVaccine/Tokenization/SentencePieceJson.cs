using System.Text;
using System.Text.Json.Nodes;
using NativeVaccine.IO;

namespace NativeVaccine.Tokenization;

/// <summary>
/// Writes a SentencePiece model as tokenizer.json, in the forms of transformers: legacy Llama's normalizer puts a space before every part of
/// a text, otherwise Metaspace puts one before the first.
/// </summary>
internal static class SentencePieceJson
{
    private const string Space = TokenizerComparison.Space;

    /// <summary>The content of the file.</summary>
    /// <param name="model">The model; with byte fallback, and of a normalizer that only escapes spaces.</param>
    /// <param name="tokenizer">Tells what is put around a text.</param>
    /// <param name="configuration">Gives the tokens outside the model.</param>
    /// <exception cref="InputException">The model asks for what a tokenizer.json of this kind does not do.</exception>
    public static byte[] Of(SentencePieceModel model, SentencePieceTokenizer tokenizer, TokenizerConfiguration configuration)
    {
        if (model.ByteIds is null)
            throw new InputException($"{model.Source}: found no byte pieces: expected byte fallback");
        if (model.RemoveExtraWhitespaces || !model.EscapeWhitespaces)
            throw new InputException($"{model.Source}: its normalizer removes spaces or leaves them: expected one that only escapes them");
        bool prepends = tokenizer.PutsSpaceFirst && configuration.IsLegacy;
        bool hasMetaspace = tokenizer.PutsSpaceFirst && !configuration.IsLegacy;
        var root = new JsonObject
        {
            ["version"] = "1.0",
            ["truncation"] = null,
            ["padding"] = null,
            ["added_tokens"] = AddedTokens(model, configuration),
            ["normalizer"] = hasMetaspace ? null : Sequence("normalizers", [
                .. prepends ? new[] { Step("Prepend", ("prepend", Space)) } : [],
                Step("Replace", ("pattern", new JsonObject { ["String"] = " " }), ("content", Space)),
            ]),
            ["pre_tokenizer"] = hasMetaspace
                ? Step("Metaspace", ("replacement", Space), ("prepend_scheme", "first"), ("split", false))
                : null,
            ["post_processor"] = Frame(tokenizer),
            ["decoder"] = Sequence("decoders", [
                Step("Replace", ("pattern", new JsonObject { ["String"] = Space }), ("content", " ")),
                Step("ByteFallback"),
                Step("Fuse"),
                .. tokenizer.PutsSpaceFirst ? new[] { Step("Strip", ("content", " "), ("start", 1), ("stop", 0)) } : [],
            ]),
            ["model"] = Bpe(model),
        };
        return Encoding.UTF8.GetBytes(JsonText.Indented(root));
    }

    private static JsonObject Bpe(SentencePieceModel model)
    {
        var vocabulary = new JsonObject();
        for (int id = 0; id < model.Pieces.Count; id++) vocabulary[model.Pieces[id].Text] = id;
        return Step(
            "BPE",
            ("dropout", null),
            ("unk_token", model.Pieces[model.UnknownId].Text),
            ("continuing_subword_prefix", null),
            ("end_of_word_suffix", null),
            ("fuse_unk", true),
            ("byte_fallback", true),
            ("ignore_merges", false),
            ("vocab", vocabulary),
            // As text, which tokenizers before 0.20 read too.
            ("merges", new JsonArray([.. Merges(model).Select(static merge => (JsonNode)$"{merge.Left} {merge.Right}")])));
    }

    /// <summary>
    /// Every way to make a piece of two others, the piece of the highest score first, since SentencePiece goes by the score of what two
    /// neighbours make; for one piece the shortest left half first, as transformers 5 orders them.
    /// </summary>
    private static IEnumerable<(string Left, string Right)> Merges(SentencePieceModel model)
    {
        var ids = new Dictionary<string, int>(StringComparer.Ordinal);
        for (int id = 0; id < model.Pieces.Count; id++)
        {
            if (model.Pieces[id].Kind is PieceKind.Normal or PieceKind.UserDefined && !model.Pieces[id].Text.Contains(' ', StringComparison.Ordinal))
                ids[model.Pieces[id].Text] = id;
        }

        return ids.OrderByDescending(piece => model.Pieces[piece.Value].Score).ThenBy(static piece => piece.Value).SelectMany(piece =>
            Enumerable.Range(1, piece.Key.Length - 1)
                .Select(length => (Left: piece.Key[..length], Right: piece.Key[length..]))
                .Where(pair => ids.ContainsKey(pair.Left) && ids.ContainsKey(pair.Right)));
    }

    private static JsonArray AddedTokens(SentencePieceModel model, TokenizerConfiguration configuration)
    {
        var added = new SortedDictionary<int, AddedToken>();
        foreach ((int id, SentencePiece piece) in model.Pieces.Index())
        {
            if (piece.Kind is PieceKind.Control or PieceKind.Unknown or PieceKind.UserDefined)
                added[id] = new AddedToken(piece.Text, IsSpecial: piece.Kind != PieceKind.UserDefined);
        }

        foreach ((int id, AddedToken token) in configuration.AddedTokens) added[id] = token;
        return new JsonArray([.. added.Select(static pair => new JsonObject
        {
            ["id"] = pair.Key,
            ["content"] = pair.Value.Text,
            ["single_word"] = pair.Value.IsSingleWord,
            ["lstrip"] = pair.Value.StripsLeft,
            ["rstrip"] = pair.Value.StripsRight,
            ["normalized"] = pair.Value.IsNormalized,
            ["special"] = pair.Value.IsSpecial,
        })]);
    }

    /// <summary>What stands around one text, and around each of two.</summary>
    private static JsonObject? Frame(SentencePieceTokenizer tokenizer)
    {
        int? begin = tokenizer.AddsBeginOfSequence ? tokenizer.BeginOfSequenceId : null;
        int?[] around = [begin, tokenizer.ClosingId];
        if (around is [null, null]) return null;
        return new JsonObject
        {
            ["type"] = "TemplateProcessing",
            ["single"] = new JsonArray([.. Part("A", 0)]),
            ["pair"] = new JsonArray([.. Part("A", 0), .. Part("B", 1)]),
            ["special_tokens"] = new JsonObject(around.OfType<int>().Distinct().Select(id => KeyValuePair.Create<string, JsonNode?>(
                tokenizer.Piece(id),
                new JsonObject { ["id"] = tokenizer.Piece(id), ["ids"] = new JsonArray(id), ["tokens"] = new JsonArray(tokenizer.Piece(id)) }))),
        };

        IEnumerable<JsonNode> Part(string name, int type) =>
            [.. Special(begin, type), Entry("Sequence", name, type), .. Special(tokenizer.ClosingId, type)];

        JsonNode[] Special(int? id, int type) => id is { } token ? [Entry("SpecialToken", tokenizer.Piece(token), type)] : [];

        static JsonObject Entry(string kind, string id, int type) => new() { [kind] = new JsonObject { ["id"] = id, ["type_id"] = type } };
    }

    private static JsonObject Sequence(string list, JsonNode[] steps) => Step("Sequence", (list, new JsonArray(steps)));

    private static JsonObject Step(string type, params (string Name, JsonNode? Value)[] fields) =>
        new([KeyValuePair.Create<string, JsonNode?>("type", type), .. fields.Select(static field => KeyValuePair.Create(field.Name, field.Value))]);
}
