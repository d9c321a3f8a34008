using System.Text;
using System.Text.Json.Nodes;
using NativeVaccine.Tokenization;

namespace NativeVaccine.Tests.Tokenization;

/// <summary>tokenizer.json of the SentencePiece kind, without a tokenizer.model.</summary>
public sealed class ByteFallbackTests : IDisposable
{
    private const string Space = "\u2581";
    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("nativevaccine-");

    public void Dispose() => folder.Delete(recursive: true);

    /// <summary>Five forms of one vocabulary, 401 texts each, by tokenizers 0.23.3.</summary>
    [Theory]
    [InlineData("llama-prepend")]
    [InlineData("llama-metaspace-first")]
    [InlineData("llama-metaspace-always")]
    [InlineData("llama-metaspace-never")]
    [InlineData("gemma-split")]
    public void IdsAndTextAreThoseOfHuggingFace(string form)
    {
        Tokenizer tokenizer = Assert.IsType<ByteFallbackTokenizer>(Tokenizer.Load(Fixtures.Path("tokenizers-json", form)));
        JsonNode expected = JsonNode.Parse(File.ReadAllText(Fixtures.Path("tokenizers-json", form, "expected.json")))!;
        JsonArray texts = expected["texts"]!.AsArray();
        Assert.Equal(401, texts.Count);
        for (int i = 0; i < texts.Count; i++)
        {
            int[] ids = [.. expected["ids"]![i]!.AsArray().Select(static id => (int)id!)];
            Assert.Equal(ids, tokenizer.Encode((string)texts[i]!));
            Assert.Equal((string)expected["decoded"]![i]!, tokenizer.Decode(ids));
        }
    }

    [Theory]
    [InlineData("llama-prepend", 800)]
    [InlineData("llama-metaspace-first", 800)]
    [InlineData("llama-metaspace-always", 800)]
    [InlineData("llama-metaspace-never", 800)]
    [InlineData("gemma-split", 640)]
    public void AddedTokensAreFoundAsTheRustLibraryFindsThem(string form, int firstId)
    {
        JsonNode expected = JsonNode.Parse(File.ReadAllText(Fixtures.Path("added-tokens", "expected.json")))!;
        JsonNode root = Root(form);
        foreach (JsonNode? token in expected["added_tokens"]!.AsArray())
        {
            JsonNode added = token!.DeepClone();
            added["id"] = firstId + (int)added["id"]!;
            root["added_tokens"]!.AsArray().Add(added);
        }

        Tokenizer tokenizer = Load(root);
        JsonArray texts = expected["texts"]!.AsArray();
        for (int i = 0; i < texts.Count; i++)
            Assert.Equal(expected["ids"]![form]![i]!.AsArray().Select(static id => (int)id!), tokenizer.Encode((string)texts[i]!));
    }

    /// <summary>The list of merges decides, whatever pieces there are: of "ab" and "bc" the one whose merge comes first.</summary>
    [Theory]
    [InlineData(new[] { "a b", "b c" }, new[] { "ab", "c" })]
    [InlineData(new[] { "b c", "a b" }, new[] { "a", "bc" })]
    [InlineData(new[] { "b c", "a bc" }, new[] { "abc" })]
    [InlineData(new[] { "ab c" }, new[] { "a", "b", "c" })]
    [InlineData(new[] { "a b", "ab c", "b c", "a bc" }, new[] { "abc" })]
    public void TheMergeThatComesFirstInTheListGoesFirst(string[] merges, string[] expected)
    {
        JsonNode root = Root("gemma-split");
        JsonObject vocabulary = root["model"]!["vocab"]!.AsObject();
        int next = 1000;
        foreach (string piece in new[] { "a", "b", "c", "ab", "bc", "abc" })
            vocabulary.TryAdd(piece, next++);
        root["model"]!["merges"] = new JsonArray([.. merges.Select(static merge => (JsonNode)merge)]);
        Tokenizer tokenizer = Load(root);
        Assert.Equal(expected, tokenizer.Encode("abc", addSpecialTokens: false).Select(tokenizer.Piece));
    }

    [Fact]
    public void EqualPairsAreMergedFromTheLeft()
    {
        JsonNode root = Root("gemma-split");
        JsonObject vocabulary = root["model"]!["vocab"]!.AsObject();
        vocabulary.TryAdd("aa", 1000);
        root["model"]!["merges"] = new JsonArray("a a");
        Tokenizer tokenizer = Load(root);
        Assert.Equal(["aa", "aa", "a"], tokenizer.Encode("aaaaa", addSpecialTokens: false).Select(tokenizer.Piece));
    }

    [Fact]
    public void MetaspaceMaySplitAndOlderFilesSayAddPrefixSpace()
    {
        JsonNode root = Root("llama-metaspace-first");
        JsonObject metaspace = root["pre_tokenizer"]!.AsObject();
        Assert.Equal([Space + Space], Pieces(root, " " + Space));
        metaspace["split"] = true;
        Assert.Equal([Space, Space], Pieces(root, " " + Space));
        metaspace.Remove("split");
        Assert.Equal([Space, Space], Pieces(root, " " + Space));
        metaspace.Remove("prepend_scheme");
        Assert.Equal([Space + "a"], Pieces(root, "a"));
        metaspace["add_prefix_space"] = false;
        Assert.Equal(["a"], Pieces(root, "a"));
    }

    /// <summary>A run of bytes that is no UTF-8 becomes a U+FFFD for each of its bytes, as Hugging Face has it.</summary>
    [Fact]
    public void BytesBecomeTextOnlyAsAWhole()
    {
        Tokenizer tokenizer = Tokenizer.Load(Fixtures.Path("tokenizers-json", "llama-prepend"));
        Assert.Equal("A\u00E9", tokenizer.Decode([3 + 0x41, 3 + 0xC3, 3 + 0xA9]));
        Assert.Equal("\uFFFD\uFFFD\uFFFD", tokenizer.Decode([3 + 0x41, 3 + 0xC3, 3 + 0x42]));
        Assert.Equal("<s>A", tokenizer.Decode([1, 3 + 0x41], skipSpecialTokens: false));
    }

    [Theory]
    [InlineData("normalizer", "{\"type\": \"Lowercase\"}", "Lowercase")]
    [InlineData("normalizer", "{\"type\": \"Replace\", \"pattern\": {\"Regex\": \"a\"}, \"content\": \"b\"}", "expected String")]
    [InlineData("normalizer", "{\"type\": \"Replace\", \"pattern\": {\"String\": \"\"}, \"content\": \"b\"}", "expected String")]
    [InlineData("pre_tokenizer", "{\"type\": \"Digits\"}", "a tokenizer.model beside it would do")]
    [InlineData("pre_tokenizer", "{\"type\": \"Split\", \"pattern\": {\"String\": \"a\"}, \"behavior\": \"Isolated\"}", "'Split' is not supported")]
    [InlineData("pre_tokenizer", "{\"type\": \"Metaspace\", \"replacement\": \"\"}", "expected one character")]
    [InlineData("pre_tokenizer", "{\"type\": \"Metaspace\", \"replacement\": \"_\", \"prepend_scheme\": \"last\"}", "'last'")]
    [InlineData("decoder", "{\"type\": \"WordPiece\"}", "WordPiece")]
    [InlineData("decoder", null, "decoder: missing")]
    [InlineData("post_processor", "{\"type\": \"TemplateProcessing\", \"single\": [{\"SpecialToken\": {\"id\": \"<s>\"}}]}", "special_tokens")]
    public void WhatIsNotSupportedIsSaid(string part, string? json, string expected)
    {
        JsonNode root = Root("llama-metaspace-first");
        root[part] = json is null ? null : JsonNode.Parse(json);
        InputException exception = Assert.Throws<InputException>(() => Load(root));
        Assert.Contains(expected, exception.Message, StringComparison.Ordinal);
        Assert.Contains("tokenizer.json", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void VocabulariesThatDoNotHoldTogetherAreRefused()
    {
        void Refuses(Action<JsonObject> damage, string expected)
        {
            JsonNode root = Root("llama-metaspace-first");
            damage(root["model"]!.AsObject());
            Assert.Contains(expected, Assert.Throws<InputException>(() => Load(root)).Message, StringComparison.Ordinal);
        }

        Refuses(static model => model["vocab"]!.AsObject().Remove("<0x41>"), "without a token <0x41>");
        Refuses(static model => model["vocab"]!["<0x41>"] = 5, "two tokens have the id 5");
        Refuses(static model => model["merges"]!.AsArray().Add("q zz"), "'q zz' needs a token");
        Refuses(static model => model["end_of_word_suffix"] = "</w>", "end_of_word_suffix is not supported");
        Refuses(static model => model["type"] = "Unigram", "type Unigram");
    }

    [Fact]
    public void DamagedFilesAreRefusedOrWork()
    {
        JsonNode root = Root("llama-metaspace-first");
        root["model"]!["merges"] = new JsonArray([.. root["model"]!["merges"]!.AsArray().Take(12).Select(static merge => merge!.DeepClone())]);
        Mutation.Run(Encoding.UTF8.GetBytes(root.ToJsonString()), count: 3_000, seed: 11, damaged =>
        {
            Tokenizer tokenizer = TokenizerJson.Parse(damaged, "damaged.json", new TokenizerConfiguration { Source = "made" });
            tokenizer.Decode(tokenizer.Encode("the caf\u00E9, \u6771\u4EAC \n\n and \U0001F98A"), skipSpecialTokens: false);
        });
    }

    private static JsonNode Root(string form) => JsonNode.Parse(File.ReadAllText(Fixtures.Path("tokenizers-json", form, "tokenizer.json")))!;

    private string[] Pieces(JsonNode root, string text)
    {
        Tokenizer tokenizer = Load(root);
        return [.. tokenizer.Encode(text, addSpecialTokens: false).Select(tokenizer.Piece)];
    }

    private Tokenizer Load(JsonNode root)
    {
        File.WriteAllText(Path.Combine(folder.FullName, "tokenizer.json"), root.ToJsonString());
        return Tokenizer.Load(folder.FullName);
    }
}
