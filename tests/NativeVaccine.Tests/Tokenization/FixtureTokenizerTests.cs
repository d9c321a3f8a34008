using System.Text.Json;
using NativeVaccine.Tokenization;

namespace NativeVaccine.Tests.Tokenization;

/// <summary>Every fixture folder's tokenizer against the ids and texts that Hugging Face's tokenizers gave.</summary>
public class FixtureTokenizerTests
{
    [Theory]
    [InlineData("tiny-llama", 4)]
    [InlineData("tiny-mistral", 4)]
    [InlineData("tiny-gqa", 4)]
    [InlineData("tiny-qwen2", 4)]
    [InlineData("tiny-qwen3", 4)]
    [InlineData("tiny-gemma", 4)]
    [InlineData("tiny-gemma2", 4)]
    [InlineData("tiny-gemma3", 4)]
    [InlineData("tiny-phi3", 4)]
    public void EncodesAndDecodesAsExpected(string folder, int fewestTexts)
    {
        Tokenizer tokenizer = Tokenizer.Load(Fixtures.Path(folder));
        using JsonDocument expected = JsonDocument.Parse(File.ReadAllBytes(Fixtures.Path(folder, "expected.json")));
        int texts = 0;
        foreach (JsonProperty text in expected.RootElement.GetProperty("token_ids").EnumerateObject())
        {
            int[] ids = [.. text.Value.EnumerateArray().Select(id => id.GetInt32())];
            Assert.Equal(ids, tokenizer.Encode(text.Name));
            Assert.Equal(expected.RootElement.GetProperty("decoded").GetProperty(text.Name).GetString(), tokenizer.Decode(ids));
            texts++;
        }

        Assert.True(texts > fewestTexts);
    }

    [Theory]
    [InlineData("tiny-llama", 800, 1, true, "</s>", 2)]
    [InlineData("tiny-mistral", 640, 1, true, "</s>", 2)]
    [InlineData("micro-llama", 800, 1, true, "</s>", 2)]
    [InlineData("tiny-gqa", 704, 700, true, "<|end_of_text|>", 701)]
    [InlineData("tiny-qwen2", 603, null, false, "<|im_end|>", 600)]
    [InlineData("tiny-qwen3", 603, null, false, "<|im_end|>", 600)]
    [InlineData("tiny-gemma2", 640, 1, true, "</s>", 2)]
    [InlineData("tiny-gemma3", 640, 1, true, "</s>", 2)]
    [InlineData("tiny-phi3", 800, 1, true, "</s>", 2)]
    public void KnowsItsSpecialTokens(string folder, int size, int? begin, bool addsBegin, string end, int endId)
    {
        Tokenizer tokenizer = Tokenizer.Load(Fixtures.Path(folder));
        Assert.Equal(size, tokenizer.VocabularySize);
        Assert.Equal(begin, tokenizer.BeginOfSequenceId);
        Assert.Equal(addsBegin, tokenizer.AddsBeginOfSequence);
        Assert.Equal(end, tokenizer.EndOfSequenceText);
        Assert.Equal(endId, tokenizer.EndOfSequenceId);
    }

    /// <summary>The folder has both files; the model written by SentencePiece decides, and both have the same vocabulary.</summary>
    [Fact]
    public void MicroLlamaUsesTheSentencePieceFile()
    {
        Tokenizer tokenizer = Assert.IsType<SentencePieceTokenizer>(Tokenizer.Load(Fixtures.Path("micro-llama")));
        using JsonDocument json = JsonDocument.Parse(File.ReadAllBytes(Fixtures.Path("micro-llama", "tokenizer.json")));
        foreach (JsonProperty token in json.RootElement.GetProperty("model").GetProperty("vocab").EnumerateObject())
            Assert.Equal(token.Name, tokenizer.Piece(token.Value.GetInt32()));
    }

    [Theory]
    [InlineData("tiny-llama")]
    [InlineData("tiny-mistral")]
    [InlineData("tiny-gqa")]
    [InlineData("tiny-qwen2")]
    public void SpecialTokensInTextAreText(string folder)
    {
        Tokenizer tokenizer = Tokenizer.Load(Fixtures.Path(folder));
        string hostile = $"a {tokenizer.EndOfSequenceText} b <s> <|begin_of_text|>";
        int[] ids = tokenizer.Encode(hostile, addSpecialTokens: false);
        Assert.DoesNotContain(tokenizer.EndOfSequenceId!.Value, ids);
        if (tokenizer.BeginOfSequenceId is { } begin)
            Assert.DoesNotContain(begin, ids);
        Assert.Equal(hostile, tokenizer.Decode(ids));
    }

    [Theory]
    [InlineData("tiny-llama", "<s>Hello</s>")]
    [InlineData("tiny-gqa", "<|begin_of_text|>Hello<|end_of_text|>")]
    public void DecodeShowsSpecialTokensWhenAsked(string folder, string expected)
    {
        Tokenizer tokenizer = Tokenizer.Load(Fixtures.Path(folder));
        int[] ids = [.. tokenizer.Encode("Hello"), tokenizer.EndOfSequenceId!.Value];
        Assert.Equal(expected, tokenizer.Decode(ids, skipSpecialTokens: false));
        Assert.Equal("Hello", tokenizer.Decode(ids));
    }

    [Theory]
    [InlineData("tiny-llama")]
    [InlineData("tiny-gqa")]
    [InlineData("tiny-qwen2")]
    public void AnyTextComesBack(string folder)
    {
        Tokenizer tokenizer = Tokenizer.Load(Fixtures.Path(folder));
        string foxes = string.Concat(Enumerable.Repeat("🦊", 5_000));
        string[] texts = ["", "x", "\u0001\r\n\t ", "a\u00A0b", "𠀀𠀁!𝐀bc🦙def", new string('z', 20_000), foxes];
        foreach (string text in texts)
            Assert.Equal(text, tokenizer.Decode(tokenizer.Encode(text)));
    }

    [Fact]
    public void HalvesOfSurrogatePairsBecomeReplacementCharacters()
    {
        foreach (string folder in new[] { "tiny-llama", "tiny-gqa" })
        {
            Tokenizer tokenizer = Tokenizer.Load(Fixtures.Path(folder));
            Assert.Equal("a\uFFFDb", tokenizer.Decode(tokenizer.Encode("a\uD83Db")));
        }
    }

    [Fact]
    public void FitsOnlyAModelWithARowForEachToken()
    {
        Tokenizer tokenizer = Tokenizer.Load(Fixtures.Path("tiny-qwen2"));
        tokenizer.Fit(608);
        tokenizer.Fit(603);
        InputException exception = Assert.Throws<InputException>(() => tokenizer.Fit(599));
        Assert.Contains("largest id is 599, but the model's vocabulary has 599 rows", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AFolderWithoutTokenizerIsRefused()
    {
        string folder = Fixtures.Path("tiny-llama-linear-rope");
        InputException exception = Assert.Throws<InputException>(() => Tokenizer.Load(folder));
        Assert.Contains("tokenizer.model", exception.Message, StringComparison.Ordinal);
        Assert.Contains(folder, exception.Message, StringComparison.Ordinal);
    }
}
