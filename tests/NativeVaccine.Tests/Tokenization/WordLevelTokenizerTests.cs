using System.Text.Json.Nodes;
using NativeVaccine.Tests.Models;
using NativeVaccine.Tokenization;

namespace NativeVaccine.Tests.Tokenization;

public sealed class WordLevelTokenizerTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void AWordIsAToken()
    {
        Tokenizer tokenizer = Load(new JsonObject { ["the"] = 0, ["cat"] = 1, ["sat"] = 2 });
        Assert.Equal([1, 2], tokenizer.Encode("  cat\n sat "));
        Assert.Equal("the cat sat", tokenizer.Decode([0, 1, 2]));
        Assert.Equal("cat", tokenizer.Piece(1));
        Assert.Equal(3, tokenizer.VocabularySize);
    }

    [Fact]
    public void SpecialTokensAreNotRecognisedInText()
    {
        Tokenizer tokenizer =
            Load(new JsonObject { ["<end>"] = 0, ["cat"] = 1 }, new JsonObject { ["id"] = 0, ["content"] = "<end>", ["special"] = true });
        Assert.Throws<InputException>(() => tokenizer.Encode("cat <end>"));
        Assert.Equal("cat", tokenizer.Decode([1, 0]));
        Assert.Equal("cat <end>", tokenizer.Decode([1, 0], skipSpecialTokens: false));
    }

    [Fact]
    public void AnUnknownWordIsRefusedByName()
    {
        Tokenizer tokenizer = Load(new JsonObject { ["the"] = 0 });
        InputException refusal = Assert.Throws<InputException>(() => tokenizer.Encode("the dog"));
        Assert.Contains("has no word 'dog'", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void TwoWordsCannotShareAnId()
    {
        InputException refusal = Assert.Throws<InputException>(() => Load(new JsonObject { ["a"] = 0, ["b"] = 0 }));
        Assert.Contains("two words have the id 0", refusal.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("""{"type": "Whitespace"}""")]
    public void OnlyWhitespaceSplitIsUnderstood(string preTokenizer)
    {
        var json = new JsonObject { ["model"] = new JsonObject { ["type"] = "WordLevel", ["vocab"] = new JsonObject { ["a"] = 0 } } };
        if (preTokenizer != "{}") json["pre_tokenizer"] = JsonNode.Parse(preTokenizer);
        File.WriteAllText(folder.File("tokenizer.json"), json.ToJsonString());
        Assert.Contains("expected WhitespaceSplit", Assert.Throws<InputException>(() => Tokenizer.Load(folder.Root)).Message,
            StringComparison.Ordinal);
    }

    private Tokenizer Load(JsonObject vocabulary, params JsonNode[] added)
    {
        var json = new JsonObject
        {
            ["added_tokens"] = new JsonArray(added),
            ["pre_tokenizer"] = new JsonObject { ["type"] = "WhitespaceSplit" },
            ["model"] = new JsonObject { ["type"] = "WordLevel", ["vocab"] = vocabulary },
        };
        File.WriteAllText(folder.File("tokenizer.json"), json.ToJsonString());
        return Tokenizer.Load(folder.Root);
    }
}
