using System.Text.Json;
using System.Text.Json.Nodes;
using NativeVaccine.Tests.Models;
using NativeVaccine.Tokenization;

namespace NativeVaccine.Tests.Tokenization;

/// <summary>The tokenizer.model that is made for a tokenizer.json of the SentencePiece kind, and the tokenizer.json for a tokenizer.model.</summary>
public sealed class SentencePieceConversionTests : IDisposable
{
    private const string Space = "\u2581";
    private readonly TemporaryFolder folder = new();
    private readonly List<string> notices = [];

    public void Dispose() => folder.Dispose();

    /// <summary>401 texts with the ids that Hugging Face's library gives for tokenizer.json.</summary>
    [Theory]
    [InlineData("llama-prepend", true)]
    [InlineData("llama-metaspace-first", false)]
    [InlineData("llama-metaspace-always", false)]
    [InlineData("llama-metaspace-never", true)]
    [InlineData("gemma-split", true)]
    public void BothFilesGiveTheSameTokens(string form, bool alsoAfterASpace)
    {
        Put("tokenizer.json", File.ReadAllText(Fixtures.Path("tokenizers-json", form, "tokenizer.json")));
        Add();
        Assert.Equal(!alsoAfterASpace, notices[0].Contains("begins with a space", StringComparison.Ordinal));
        notices.Clear();
        // It is for other programs: the model's own tokens stay those of tokenizer.json.
        Tokenizer own = Assert.IsType<ByteFallbackTokenizer>(Tokenizer.Load(folder.Root, notices.Add));
        Assert.Empty(notices);
        File.Delete(folder.File("tokenizer.json"));
        Tokenizer tokenizer = Assert.IsType<SentencePieceTokenizer>(Tokenizer.Load(folder.Root));
        JsonNode expected = JsonNode.Parse(File.ReadAllText(Fixtures.Path("tokenizers-json", form, "expected.json")))!;
        int compared = 0;
        foreach ((JsonNode? text, JsonNode? ids) in expected["texts"]!.AsArray().Zip(expected["ids"]!.AsArray()))
        {
            string given = (string)text!;
            Assert.Equal(ids!.AsArray().Select(static id => (int)id!), own.Encode(given));
            if (!alsoAfterASpace && (given.StartsWith(' ') || given.StartsWith(Space, StringComparison.Ordinal))) continue;
            Assert.Equal(ids!.AsArray().Select(static id => (int)id!), tokenizer.Encode(given));
            compared++;
        }

        Assert.Equal(alsoAfterASpace ? 401 : 243, compared);
    }

    /// <summary>tiny-llama's own file, from which these tokenizer.json were made.</summary>
    [Theory]
    [InlineData("llama-prepend")]
    [InlineData("llama-metaspace-first")]
    public void PiecesKindsFlagsAndTheOrderOfScoresAreThoseOfTheOriginal(string form)
    {
        Put("tokenizer.json", File.ReadAllText(Fixtures.Path("tokenizers-json", form, "tokenizer.json")));
        Put("tokenizer_config.json", """{"bos_token": "<s>", "eos_token": "</s>"}""");
        Add();
        SentencePieceModel written = Model(folder.File("tokenizer.model"));
        SentencePieceModel original = Model(Fixtures.Path("tiny-llama", "tokenizer.model"));
        Assert.Equal(original.Pieces.Select(static piece => (piece.Text, piece.Kind)), written.Pieces.Select(static piece => (piece.Text, piece.Kind)));
        Assert.Equal(
            (original.UnknownId, original.BeginOfSequenceId, original.EndOfSequenceId, original.AddDummyPrefix, original.RemoveExtraWhitespaces, original.EscapeWhitespaces),
            (written.UnknownId, written.BeginOfSequenceId, written.EndOfSequenceId, written.AddDummyPrefix, written.RemoveExtraWhitespaces, written.EscapeWhitespaces));
        Assert.Equal(original.ByteIds, written.ByteIds);
        Assert.Equal(Ranked(original), Ranked(written));

        static string[] Ranked(SentencePieceModel model) =>
            [.. model.Pieces.Where(static piece => piece.Kind == PieceKind.Normal && piece.Text.Length > 1).OrderByDescending(static piece => piece.Score).Select(static piece => piece.Text)];
    }

    [Fact]
    public void AddedTokensAreUserDefinedPiecesAndSpecialOnesControlPieces()
    {
        JsonNode root = Root("gemma-split");
        root["added_tokens"]!.AsArray().Add(Added(640, "\n\n", special: false));
        root["added_tokens"]!.AsArray().Add(Added(641, "<start>", special: true));
        Put("tokenizer.json", root.ToJsonString());
        Add();
        SentencePieceModel written = Model(folder.File("tokenizer.model"));
        Assert.Equal((PieceKind.UserDefined, PieceKind.Control), (written.Pieces[640].Kind, written.Pieces[641].Kind));
        File.Delete(folder.File("tokenizer.json"));
        Tokenizer tokenizer = Tokenizer.Load(folder.Root);
        Assert.Contains(640, tokenizer.Encode("a\n\nb"));
        Assert.DoesNotContain(641, tokenizer.Encode("a <start> b"));
    }

    /// <summary>SentencePiece joins over every space; this tokenizer.json cuts before each.</summary>
    [Fact]
    public void WhatWouldGiveOtherTokensIsNotKept()
    {
        JsonNode root = Root("llama-metaspace-first");
        root["pre_tokenizer"]!["split"] = true;
        Put("tokenizer.json", root.ToJsonString());
        Add();
        Assert.Matches("^no tokenizer.model is written for tokenizer.json: it would give other tokens for [0-9]+ of [0-9]+ texts, such as '", notices[0]);
        Assert.False(File.Exists(folder.File("tokenizer.model")));
    }

    [Fact]
    public void AHoleInTheVocabularyIsNoPiece()
    {
        JsonNode root = Root("gemma-split");
        root["added_tokens"]!.AsArray().Add(Added(645, "<late>", special: false));
        Put("tokenizer.json", root.ToJsonString());
        Add();
        Assert.Equal("no tokenizer.model is written for tokenizer.json: no token has the id 640: expected one for each", notices[0]);
    }

    /// <summary>The forms are those that transformers makes of the same tokenizer.model, with legacy and without.</summary>
    [Theory]
    [InlineData(true, "llama-prepend")]
    [InlineData(false, "llama-metaspace-first")]
    public void TheJsonOfAModelIsHuggingFacesOwn(bool isLegacy, string form)
    {
        File.Copy(Fixtures.Path("tiny-llama", "tokenizer.model"), folder.File("tokenizer.model"));
        string flag = isLegacy ? "true" : "false";
        Put("tokenizer_config.json", $$"""{"tokenizer_class": "LlamaTokenizer", "legacy": {{flag}}, "bos_token": "<s>", "eos_token": "</s>"}""");
        Add();
        Assert.Equal(!isLegacy, notices[0].Contains("begins with a space", StringComparison.Ordinal));
        JsonNode written = JsonNode.Parse(File.ReadAllText(folder.File("tokenizer.json")))!;
        JsonNode expected = Root(form);
        foreach (string part in new[] { "version", "added_tokens", "normalizer", "pre_tokenizer", "post_processor", "decoder" })
            Assert.True(JsonNode.DeepEquals(expected[part], written[part]), $"{part}: {written[part]?.ToJsonString()}");
        Assert.True(JsonNode.DeepEquals(expected["model"]!["vocab"], written["model"]!["vocab"]));
        Assert.Equal(
            expected["model"]!["merges"]!.AsArray().Select(static merge => $"{merge![0]} {merge[1]}"),
            written["model"]!["merges"]!.AsArray().Select(static merge => (string)merge!));

        File.Delete(folder.File("tokenizer.model"));
        Tokenizer tokenizer = Assert.IsType<ByteFallbackTokenizer>(Tokenizer.Load(folder.Root));
        JsonNode samples = JsonNode.Parse(File.ReadAllText(Fixtures.Path("tokenizers-json", form, "expected.json")))!;
        foreach ((JsonNode? text, JsonNode? ids) in samples["texts"]!.AsArray().Zip(samples["ids"]!.AsArray()))
            Assert.Equal(ids!.AsArray().Select(static id => (int)id!), tokenizer.Encode((string)text!));
    }

    [Theory]
    [InlineData(true, true, 1, 2)]
    [InlineData(false, true, null, 2)]
    [InlineData(false, false, null, null)]
    public void TheJsonPutsTheSameTokensAroundAText(bool begins, bool ends, int? opening, int? closing)
    {
        File.Copy(Fixtures.Path("tiny-llama", "tokenizer.model"), folder.File("tokenizer.model"));
        string[] flags = [begins ? "true" : "false", ends ? "true" : "false"];
        Put("tokenizer_config.json", $$"""
            {"add_bos_token": {{flags[0]}}, "add_eos_token": {{flags[1]}}, "added_tokens_decoder": {"800": {"content": "<mark>", "special": true} } }
            """);
        Add();
        JsonNode root = JsonNode.Parse(File.ReadAllText(folder.File("tokenizer.json")))!;
        SequenceFrame frame = SequenceFrame.Read(root.Deserialize<JsonElement>(), "tokenizer.json");
        Assert.Equal((opening, closing), (frame.Opening, frame.Closing));
        Assert.Equal((800, "<mark>"), ((int)root["added_tokens"]![3]!["id"]!, (string?)root["added_tokens"]![3]!["content"]));
        notices.Clear();
        Tokenizer.Load(folder.Root, notices.Add);
        Assert.Empty(notices);
    }

    [Theory]
    [InlineData(false, false, "found no byte pieces: expected byte fallback")]
    [InlineData(true, true, "its normalizer removes spaces or leaves them: expected one that only escapes them")]
    public void AModelThatNoSuchJsonDescribesStaysAlone(bool hasBytes, bool removesSpaces, string reason)
    {
        var writer = new SentencePieceWriter { ByteFallback = hasBytes, RemoveExtraWhitespaces = removesSpaces };
        writer.Add("<unk>", kind: PieceKind.Unknown).Add("<s>", kind: PieceKind.Control).Add("</s>", kind: PieceKind.Control);
        for (int value = 0; hasBytes && value < 256; value++) writer.Add($"<0x{value:X2}>", kind: PieceKind.Byte);
        writer.Add(Space, -1).Add("a", -2).Add($"{Space}a", -3);
        File.WriteAllBytes(folder.File("tokenizer.model"), writer.ToBytes());
        Add();
        Assert.Equal($"no tokenizer.json is written for tokenizer.model: tokenizer.model: {reason}", notices[0]);
        Assert.False(File.Exists(folder.File("tokenizer.json")));
    }

    [Fact]
    public void OtherFoldersStayAsTheyAre()
    {
        Put("tokenizer.json", File.ReadAllText(Fixtures.Path("tiny-gqa", "tokenizer.json")));
        SentencePieceConversion.Add(folder.Root, notices.Add);
        Put("tokenizer.json", Root("gemma-split").ToJsonString());
        Put("tokenizer.model", "there already");
        SentencePieceConversion.Add(folder.Root, notices.Add);
        Assert.Empty(notices);
        Assert.Equal("there already", File.ReadAllText(folder.File("tokenizer.model")));
    }

    private void Add()
    {
        SentencePieceConversion.Add(folder.Root, notices.Add);
        Assert.Single(notices);
    }

    private static JsonObject Added(int id, string content, bool special) => new()
    {
        ["id"] = id,
        ["content"] = content,
        ["single_word"] = false,
        ["lstrip"] = false,
        ["rstrip"] = false,
        ["normalized"] = false,
        ["special"] = special,
    };

    private static JsonNode Root(string form) => JsonNode.Parse(File.ReadAllText(Fixtures.Path("tokenizers-json", form, "tokenizer.json")))!;

    private static SentencePieceModel Model(string path) => SentencePieceModel.Parse(File.ReadAllBytes(path), path);

    private void Put(string name, string content) => File.WriteAllText(folder.File(name), content);
}
