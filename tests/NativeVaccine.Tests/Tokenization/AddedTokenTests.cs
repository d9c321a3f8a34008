using System.Text;
using System.Text.Json.Nodes;
using NativeVaccine.Tokenization;

namespace NativeVaccine.Tests.Tokenization;

/// <summary>Added tokens are found in text as Hugging Face finds them; special ones stay text.</summary>
public sealed class AddedTokenTests : IDisposable
{
    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("nativevaccine-");

    public void Dispose() => folder.Delete(recursive: true);

    [Theory]
    [InlineData("qwen2", 603)]
    [InlineData("qwen2-nfc", 603)]
    public void TheyAreFoundAsTheRustLibraryFindsThem(string form, int firstId)
    {
        JsonObject expected = JsonNode.Parse(File.ReadAllText(Fixtures.Path("added-tokens", "expected.json")))!.AsObject();
        JsonObject root = JsonNode.Parse(File.ReadAllText(Fixtures.Path("tiny-qwen2", "tokenizer.json")))!.AsObject();
        if (form == "qwen2-nfc")
            root["normalizer"] = new JsonObject { ["type"] = "NFC" };
        foreach (JsonNode? token in expected["added_tokens"]!.AsArray())
        {
            JsonObject added = token!.DeepClone().AsObject();
            added["id"] = firstId + (int)added["id"]!;
            root["added_tokens"]!.AsArray().Add(added);
        }

        Put("tokenizer.json", root.ToJsonString());
        Tokenizer tokenizer = Load();
        JsonArray texts = expected["texts"]!.AsArray();
        JsonArray ids = expected["ids"]![form]!.AsArray();
        Assert.Equal(337, texts.Count);
        for (int i = 0; i < texts.Count; i++)
            Assert.Equal(ids[i]!.AsArray().Select(static id => (int)id!), tokenizer.Encode((string)texts[i]!));
    }

    /// <summary>A longer special token hides an added one within it, and a special one that is skipped hides nothing else.</summary>
    [Fact]
    public void SpecialTokensTakePartInTheSearchAndStayText()
    {
        Put("tokenizer.json", File.ReadAllText(Fixtures.Path("tiny-qwen2", "tokenizer.json")));
        Put("tokenizer_config.json", """
            {"added_tokens_decoder": {
              "603": {"content": "im", "special": false},
              "604": {"content": "BIRD", "special": false},
              "605": {"content": "[PAD]", "special": false}},
             "pad_token": "[PAD]"}
            """);
        Tokenizer tokenizer = Load();
        Assert.Equal([603], tokenizer.Encode("im"));
        Assert.DoesNotContain(603, tokenizer.Encode("<|im_start|>"));
        Assert.DoesNotContain(602, tokenizer.Encode("<|im_start|>"));
        Assert.Equal([.. tokenizer.Encode("<|im_start|>"), 604], tokenizer.Encode("<|im_start|>BIRD"));
        Assert.DoesNotContain(605, tokenizer.Encode("[PAD]"));
    }

    [Theory]
    [InlineData("tiny-qwen2", "a <|im_end|>", true)]
    [InlineData("tiny-qwen2", "a <|im_end| >", false)]
    [InlineData("tiny-qwen2", "", false)]
    [InlineData("tiny-llama", "</s>", true)]
    [InlineData("tiny-llama", "x<s", false)]
    [InlineData("micro-llama", "the <unk>", true)]
    public void TextOfSpecialTokensIsNoticed(string model, string text, bool expected) =>
        Assert.Equal(expected, Tokenizer.Load(Fixtures.Path(model)).HoldsSpecialText(text));

    /// <summary>The control pieces of a SentencePiece file are special whether or not another file says so.</summary>
    [Fact]
    public void ControlPiecesAreSpecialByThemselves()
    {
        Put("tokenizer.model", File.ReadAllBytes(Fixtures.Path("tiny-llama", "tokenizer.model")));
        Assert.True(Load().HoldsSpecialText("a</s>"));
        Assert.False(Load().HoldsSpecialText("a"));
    }

    /// <summary>Legacy tokenizers, which all are that do not say otherwise, put a space before each part of a text.</summary>
    [Theory]
    [InlineData("", new[] { 1, 338, 707, 800, 707, 726 })]
    [InlineData(", \"legacy\": true", new[] { 1, 338, 707, 800, 707, 726 })]
    [InlineData(", \"legacy\": false", new[] { 1, 338, 707, 800, 726 })]
    public void TextAfterAnAddedTokenGetsASpaceWhereLegacyIsSet(string legacy, int[] expected)
    {
        Put("tokenizer.model", File.ReadAllBytes(Fixtures.Path("tiny-llama", "tokenizer.model")));
        Put("tokenizer_config.json", "{\"added_tokens_decoder\": {\"800\": {\"content\": \"HERON\", \"normalized\": false}}" + legacy + "}");
        Assert.Equal(expected, Load().Encode("A HERON."));
    }

    /// <summary>added_tokens.json has no flags: as in transformers, what another file names as special is special, the rest is not.</summary>
    [Fact]
    public void AddedTokensWithoutFlagsAreSpecialWhereAnotherFileNamesThem()
    {
        Put("tokenizer.model", File.ReadAllBytes(Fixtures.Path("tiny-llama", "tokenizer.model")));
        Put("added_tokens.json", """{"<bird>": 800, "<pad>": 801, "<turn>": 802}""");
        Put("special_tokens_map.json", """{"pad_token": "<pad>", "additional_special_tokens": ["<turn>"]}""");
        Tokenizer tokenizer = Load();
        Assert.Contains(800, tokenizer.Encode("a <bird>"));
        Assert.False(tokenizer.HoldsSpecialText("a <bird>"));
        foreach (string special in new[] { "<pad>", "<turn>" })
        {
            Assert.True(tokenizer.HoldsSpecialText(special));
            Assert.All(tokenizer.Encode(special), static id => Assert.InRange(id, 0, 799));
        }
    }

    private Tokenizer Load() => Tokenizer.Load(folder.FullName);

    private void Put(string name, string content) => Put(name, Encoding.UTF8.GetBytes(content));

    private void Put(string name, byte[] content) => File.WriteAllBytes(Path.Combine(folder.FullName, name), content);
}
