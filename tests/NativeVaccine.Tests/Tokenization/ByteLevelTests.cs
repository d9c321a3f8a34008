using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using NativeVaccine.Tokenization;
using SharpToken;

namespace NativeVaccine.Tests.Tokenization;

public class ByteLevelTests
{
    private static readonly TokenizerConfiguration NoConfiguration = new() { Source = "made" };

    /// <summary>tiny-gqa's tokenizer with only its first merges, small enough to be damaged ten thousand times.</summary>
    private static JsonObject Small(int merges = 40)
    {
        JsonObject root = JsonNode.Parse(File.ReadAllText(Fixtures.Path("tiny-gqa", "tokenizer.json")))!.AsObject();
        JsonObject model = root["model"]!.AsObject();
        JsonObject vocabulary = model["vocab"]!.AsObject();
        foreach (string token in vocabulary.Where(token => (int)token.Value! >= 256 + merges).Select(token => token.Key).ToArray())
            vocabulary.Remove(token);
        JsonArray list = model["merges"]!.AsArray();
        while (list.Count > merges)
            list.RemoveAt(list.Count - 1);
        return root;
    }

    private static IEnumerable<string> Merges(JsonNode model) => model["merges"]!.AsArray().Select(merge => merge!.GetValue<string>());

    private static ByteLevelTokenizer Parse(JsonNode root) =>
        (ByteLevelTokenizer)TokenizerJson.Parse(Encoding.UTF8.GetBytes(root.ToJsonString()), "made.json", NoConfiguration);

    [Fact]
    public void IdsNeedNotFollowTheOrderOfMerges()
    {
        JsonObject root = Small();
        ByteLevelTokenizer ordered = Parse(root);
        JsonObject vocabulary = root["model"]!["vocab"]!.AsObject();
        int count = vocabulary.Count;
        root["model"]!["vocab"] = new JsonObject(
            vocabulary.Select(token => KeyValuePair.Create(token.Key, (JsonNode?)(count - 1 - (int)token.Value!))));
        ByteLevelTokenizer reversed = Parse(root);

        const string Text = "the lighthouse keeper and the gulls, ever there";
        int[] expected = ordered.Encode(Text, addSpecialTokens: false);
        Assert.Equal(expected.Select(id => count - 1 - id), reversed.Encode(Text, addSpecialTokens: false));
        Assert.Equal(Text, reversed.Decode(reversed.Encode(Text)));
    }

    /// <summary>With ignore_merges a token that no merge makes is still taken for a whole piece; without, its parts are.</summary>
    [Theory]
    [InlineData(true, new[] { "zq" })]
    [InlineData(false, new[] { "z", "q" })]
    public void TokensWithoutMergesNeedIgnoreMerges(bool ignoreMerges, string[] expected)
    {
        JsonObject root = Small();
        root["model"]!["vocab"]!["zq"] = 500;
        root["model"]!["ignore_merges"] = ignoreMerges;
        ByteLevelTokenizer tokenizer = Parse(root);
        Assert.Equal(expected, tokenizer.Encode("zq", addSpecialTokens: false).Select(tokenizer.Piece));
        Assert.Equal("zq", tokenizer.Decode([500]));
    }

    [Fact]
    public void MergesMayBePairs()
    {
        JsonObject root = Small();
        int[] expected = Parse(root).Encode("the gulls");
        static JsonNode Pair(string merge) => new JsonArray([.. merge.Split(' ').Select(half => (JsonNode)half)]);
        root["model"]!["merges"] = new JsonArray([.. Merges(root["model"]!).Select(Pair)]);
        Assert.Equal(expected, Parse(root).Encode("the gulls"));
    }

    /// <summary>Beyond U+FFFF a character is one letter to the patterns, not two of neither kind.</summary>
    [Theory]
    [InlineData("𝐀bc!", new[] { "𝐀bc", "!" })]
    [InlineData("🦙abc", new[] { "🦙abc" })]
    [InlineData("𠀀!", new[] { "𠀀", "!" })]
    [InlineData("𝟏𝟐𝟑𝟒", new[] { "𝟏𝟐𝟑", "𝟒" })]
    [InlineData("🦊 🦊", new[] { "🦊", " 🦊" })]
    [InlineData("I'LL go", new[] { "I", "'LL", " go" })]
    [InlineData("a  b\n\n c", new[] { "a", " ", " b", "\n\n", " c" })]
    public void Llama3SplitsCodePoints(string text, string[] expected)
    {
        var splitter = new TextSplitter([SplitPatterns.Find(SplitPatterns.Llama3, "made")], "made");
        Assert.Equal(expected, splitter.Split(text).Select(piece => text.Substring(piece.Offset, piece.Length)));
    }

    [Fact]
    public void LongRunsAreCutBetweenCharacters()
    {
        string text = string.Concat(Enumerable.Repeat("𠀀", TextSplitter.LongestPiece + 1));
        var splitter = new TextSplitter([SplitPatterns.Find(SplitPatterns.Llama3, "made")], "made");
        Assert.Equal([(0, 2 * TextSplitter.LongestPiece), (2 * TextSplitter.LongestPiece, 2)], splitter.Split(text));
        ByteLevelTokenizer tokenizer = Parse(Small());
        string run = new('e', 300_000);
        Assert.Equal(run, tokenizer.Decode(tokenizer.Encode(run)));
    }

    [Fact]
    public void StepsOfThePreTokenizerFollowOneAnother()
    {
        JsonObject root = Small();
        root["pre_tokenizer"] = JsonNode.Parse("""
            {"type": "Sequence", "pretokenizers": [
              {"type": "Digits", "individual_digits": true},
              {"type": "Split", "pattern": {"String": "he"}, "behavior": "Isolated", "invert": false},
              {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true}]}
            """);
        ByteLevelTokenizer tokenizer = Parse(root);
        Assert.Equal(["Ġt", "he", "Ġ", "1", "2", "!"], tokenizer.Encode(" the 12!", addSpecialTokens: false).Select(tokenizer.Piece));
    }

    [Fact]
    public void APrefixSpaceIsAddedWhereThereIsNone()
    {
        JsonObject root = Small();
        root["pre_tokenizer"] = JsonNode.Parse("""{"type": "ByteLevel", "add_prefix_space": true}""");
        ByteLevelTokenizer tokenizer = Parse(root);
        Assert.Equal(tokenizer.Encode(" the"), tokenizer.Encode("the"));
        Assert.Empty(tokenizer.Encode("", addSpecialTokens: false));
    }

    [Fact]
    public void FormCIsAppliedWhereTheFileSaysSo()
    {
        JsonObject root = Small();
        Assert.NotEqual(Parse(root).Encode("caf\u00E9"), Parse(root).Encode("cafe\u0301"));
        root["normalizer"] = JsonNode.Parse("""{"type": "NFC"}""");
        Assert.Equal(Parse(root).Encode("caf\u00E9"), Parse(root).Encode("cafe\u0301"));
    }

    [Theory]
    [InlineData("model", "{\"type\": \"Unigram\"}", "Unigram")]
    [InlineData("model", "{\"type\": \"BPE\", \"byte_fallback\": true}", "'vocab' is missing")]
    [InlineData("model", "7", "expected an object")]
    [InlineData("model", null, "'model' is null")]
    [InlineData("pre_tokenizer", "{\"type\": \"Metaspace\"}", "Metaspace")]
    [InlineData("pre_tokenizer", null, "no ByteLevel step")]
    [InlineData("normalizer", "{\"type\": \"Lowercase\"}", "Lowercase")]
    [InlineData("post_processor", "{\"type\": \"BertProcessing\"}", "BertProcessing")]
    [InlineData("added_tokens", "[{\"id\": 99999999, \"content\": \"x\"}]", "99999999")]
    [InlineData("added_tokens", "[{\"id\": 1}]", "'content' is missing")]
    [InlineData("pre_tokenizer", "{\"type\": \"Split\", \"pattern\": {\"Regex\": \"(\"}, \"behavior\": \"Isolated\"}", "split pattern")]
    [InlineData("pre_tokenizer", "{\"type\": \"Split\", \"pattern\": {\"Regex\": \"a\"}, \"behavior\": \"Removed\"}", "Isolated")]
    [InlineData(
        "pre_tokenizer",
        """
        {"type": "Sequence", "pretokenizers": [
          {"type": "Digits", "individual_digits": true}, {"type": "ByteLevel", "add_prefix_space": true}]}
        """,
        "add_prefix_space")]
    public void WhatIsNotSupportedIsSaid(string part, string? json, string expected)
    {
        JsonObject root = Small();
        root[part] = json is null ? null : JsonNode.Parse(json);
        InputException exception = Assert.Throws<InputException>(() => Parse(root));
        Assert.Contains(expected, exception.Message, StringComparison.Ordinal);
        Assert.Contains("made.json", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void VocabulariesThatDoNotHoldTogetherAreRefused()
    {
        void Refuses(Action<JsonObject> damage, string expected)
        {
            JsonObject root = Small();
            damage(root["model"]!.AsObject());
            Assert.Contains(expected, Assert.Throws<InputException>(() => Parse(root)).Message, StringComparison.Ordinal);
        }

        Refuses(model => model["vocab"]!.AsObject().Remove("Ġt"), "needs a token");
        Refuses(model => model["vocab"]!.AsObject().Remove("~"), "byte 0x7E");
        Refuses(model => model["vocab"]!["!"] = 1, "two tokens have the id 1");
        Refuses(model => model["vocab"]!["a b"] = 900, "byte letters");
        Refuses(model => model["vocab"]!["a"] = -1, "token id -1");
        Refuses(model => model["merges"]!.AsArray().Add("a b c"), "merge 40");
        Refuses(model => model["merges"]!.AsArray().Add("~ ~"), "'~ ~' needs a token");
    }

    [Fact]
    public void BuiltInIsGpt2AsSharpTokenHasIt()
    {
        Tokenizer tokenizer = Tokenizer.BuiltIn();
        GptEncoding other = GptEncoding.GetEncoding("r50k_base");
        string[] texts = ["Hello world", " café 東京 🦊\n\n  x = 3;\t", "it's 1234567", "The quick brown fox <|endofprompt|>", ""];
        foreach (string text in texts)
        {
            Assert.Equal(other.Encode(text), tokenizer.Encode(text));
            Assert.Equal(text, tokenizer.Decode(tokenizer.Encode(text)));
        }

        Assert.Equal(50257, tokenizer.VocabularySize);
        Assert.Equal((null, 50256, "<|endoftext|>"), (tokenizer.BeginOfSequenceId, tokenizer.EndOfSequenceId, tokenizer.EndOfSequenceText));
        Assert.DoesNotContain(50256, tokenizer.Encode("<|endoftext|>"));
    }

    [Fact]
    public void DamagedTokenizerJsonIsRefusedOrWorks() => Mutation.Run(
        Encoding.UTF8.GetBytes(Small(12).ToJsonString(new JsonSerializerOptions { WriteIndented = false })),
        count: 10_000,
        seed: 7,
        damaged =>
        {
            Tokenizer tokenizer = TokenizerJson.Parse(damaged, "damaged.json", NoConfiguration);
            tokenizer.Decode(tokenizer.Encode("the café, 東京 \n\n and 🦊"), skipSpecialTokens: false);
        });

    [Fact]
    public void DamagedTiktokenFilesAreRefusedOrWork()
    {
        var text = new StringBuilder();
        for (int value = 0; value < 256; value++)
            text.Append(CultureInfo.InvariantCulture, $"{Convert.ToBase64String([(byte)value])} {value}\n");
        text.Append("dGhl 256\nYWI= 257\n");
        byte[] bytes = Encoding.ASCII.GetBytes(text.ToString());
        Assert.True(TiktokenFile.IsOne(bytes));
        Assert.False(TiktokenFile.IsOne(File.ReadAllBytes(Fixtures.Path("tiny-llama", "tokenizer.model"))));
        Mutation.Run(bytes, count: 10_000, seed: 8, damaged =>
        {
            ByteLevelTokenizer tokenizer = TiktokenFile.Parse(damaged, "damaged.model", NoConfiguration);
            tokenizer.Decode(tokenizer.Encode("the abbé"));
        });
    }

    [Fact]
    public void DamagedVocabulariesWithMergesAreRefusedOrWork()
    {
        JsonObject model = Small(12)["model"]!.AsObject();
        byte[] vocabulary = Encoding.UTF8.GetBytes(model["vocab"]!.ToJsonString());
        byte[] merges = Encoding.UTF8.GetBytes("#version: 0.2\n" + string.Join('\n', Merges(model)));
        void Read(byte[] first, byte[] second) =>
            VocabularyWithMerges.Parse(first, "vocab.json", second, "merges.txt", NoConfiguration).Encode("the café");
        Mutation.Run(vocabulary, count: 10_000, seed: 9, damaged => Read(damaged, merges));
        Mutation.Run(merges, count: 10_000, seed: 10, damaged => Read(vocabulary, damaged));
    }
}
