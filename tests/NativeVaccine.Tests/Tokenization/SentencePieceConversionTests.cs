using System.Text.Json.Nodes;
using NativeVaccine.Tests.Models;
using NativeVaccine.Tokenization;

namespace NativeVaccine.Tests.Tokenization;

/// <summary>The tokenizer.model that is made for a tokenizer.json of the SentencePiece kind.</summary>
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
        Tokenizer tokenizer = Assert.IsType<SentencePieceTokenizer>(Tokenizer.Load(folder.Root, notices.Add));
        Assert.Empty(notices);
        JsonNode expected = JsonNode.Parse(File.ReadAllText(Fixtures.Path("tokenizers-json", form, "expected.json")))!;
        int compared = 0;
        foreach ((JsonNode? text, JsonNode? ids) in expected["texts"]!.AsArray().Zip(expected["ids"]!.AsArray()))
        {
            string given = (string)text!;
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
