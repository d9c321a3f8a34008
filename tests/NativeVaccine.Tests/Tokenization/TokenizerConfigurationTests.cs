using System.Text;
using NativeVaccine.Tokenization;

namespace NativeVaccine.Tests.Tokenization;

/// <summary>What the files beside the vocabulary change.</summary>
public sealed class TokenizerConfigurationTests : IDisposable
{
    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("nativevaccine-");

    public TokenizerConfigurationTests() => Put("tokenizer.model", File.ReadAllBytes(Fixtures.Path("tiny-llama", "tokenizer.model")));

    public void Dispose() => folder.Delete(recursive: true);

    [Fact]
    public void ASentencePieceFileAloneIsEnough()
    {
        Tokenizer tokenizer = Load();
        Assert.Equal([1, 388], tokenizer.Encode("The"));
        Assert.Equal([388], tokenizer.Encode("The", addSpecialTokens: false));
        Assert.Equal(2, tokenizer.EndOfSequenceId);
    }

    [Fact]
    public void AddBosTokenFalseLeavesItOut()
    {
        Put("tokenizer_config.json", """{"add_bos_token": false}""");
        Assert.Equal([388], Load().Encode("The"));
    }

    /// <summary>As LlamaTokenizer of transformers 4.44: a vocabulary without a dummy prefix gets a space all the same if it is not legacy.</summary>
    [Theory]
    [InlineData("tiny-gemma2", """{"tokenizer_class": "LlamaTokenizer", "legacy": false}""", "▁The")]
    [InlineData("tiny-gemma2", """{"tokenizer_class": "LlamaTokenizer", "legacy": false, "add_prefix_space": false}""", "The")]
    [InlineData("tiny-gemma2", """{"tokenizer_class": "LlamaTokenizer"}""", "The")]
    [InlineData("tiny-gemma2", """{"tokenizer_class": "GemmaTokenizer", "legacy": false}""", "The")]
    [InlineData("tiny-llama", """{"tokenizer_class": "LlamaTokenizer", "legacy": false, "add_prefix_space": false}""", "The")]
    [InlineData("tiny-llama", """{"tokenizer_class": "LlamaTokenizer", "add_prefix_space": false}""", "▁The")]
    public void ALeadingSpaceIsThatOfTheClass(string vocabulary, string configuration, string pieces)
    {
        Put("tokenizer.model", File.ReadAllBytes(Fixtures.Path(vocabulary, "tokenizer.model")));
        Put("tokenizer_config.json", configuration);
        Tokenizer tokenizer = Load();
        int[] ids = tokenizer.Encode("The", addSpecialTokens: false);
        Assert.Equal(pieces, string.Concat(ids.Select(tokenizer.Piece)));
        Assert.Equal("The", tokenizer.Decode(ids));
    }

    [Fact]
    public void TokensAreTextsOrObjectsAndTheMapFillsGaps()
    {
        Put("tokenizer_config.json", """{"eos_token": {"content": "<s>"}}""");
        Put("special_tokens_map.json", """{"eos_token": "</s>", "bos_token": "</s>"}""");
        Tokenizer tokenizer = Load();
        Assert.Equal((2, 1), (tokenizer.BeginOfSequenceId, tokenizer.EndOfSequenceId));
    }

    [Fact]
    public void EmptyTextsOfEarlyFoldersStandForTheVocabularysOwnTokens()
    {
        Put("tokenizer_config.json", """{"bos_token": "", "eos_token": {"content": ""}, "unk_token": "", "tokenizer_class": "LLaMATokenizer"}""");
        Put("special_tokens_map.json", "{}");
        Tokenizer tokenizer = Load();
        Assert.Equal((1, 2), (tokenizer.BeginOfSequenceId, tokenizer.EndOfSequenceId));
        Assert.Equal([1, 388], tokenizer.Encode("The"));
        Put("special_tokens_map.json", """{"eos_token": "<s>"}""");
        Assert.Equal(1, Load().EndOfSequenceId);
    }

    [Fact]
    public void AddedTokensExtendTheVocabulary()
    {
        Put("added_tokens.json", """{"[PAD]": 800}""");
        Put("tokenizer_config.json", """{"added_tokens_decoder": {"802": {"content": "<end>", "special": true}}, "eos_token": "<end>"}""");
        Tokenizer tokenizer = Load();
        Assert.Equal(803, tokenizer.VocabularySize);
        Assert.Equal((802, "<end>"), (tokenizer.EndOfSequenceId, tokenizer.EndOfSequenceText));
        Assert.Equal(("[PAD]", ""), (tokenizer.Piece(800), tokenizer.Piece(801)));
        Assert.Equal("The[PAD]<end>", tokenizer.Decode([388, 800, 801, 802], skipSpecialTokens: false));
        Assert.Equal("The[PAD]", tokenizer.Decode([388, 800, 801, 802]));
        Assert.Throws<ArgumentOutOfRangeException>(() => tokenizer.Piece(803));
    }

    [Theory]
    [InlineData("tokenizer_config.json", "{\n\"a\": }", "tokenizer_config.json:2: broken JSON")]
    [InlineData("tokenizer_config.json", "[]", "expected an object")]
    [InlineData("tokenizer_config.json", "{\"add_bos_token\": 1}", "'add_bos_token' is 1: expected true or false")]
    [InlineData("tokenizer_config.json", "{\"eos_token\": \"<none>\"}", "eos_token '<none>' is not in the vocabulary")]
    [InlineData("tokenizer_config.json", "{\"eos_token\": {}}", "'content' is missing")]
    [InlineData("tokenizer_config.json", "{\"added_tokens_decoder\": {\"x\": {\"content\": \"a\"}}}", "added_tokens_decoder 'x'")]
    [InlineData("special_tokens_map.json", "{\"bos_token\": 3}", "'bos_token' is 3: expected a string")]
    [InlineData("added_tokens.json", "{\"a\": \"b\"}", "token id a string")]
    [InlineData("tokenizer.model", "hello", "expected a SentencePiece model")]
    [InlineData("tokenizer.model", "", "is empty")]
    public void SaysWhatIsWrongAndWhere(string name, string content, string expected)
    {
        Put(name, content);
        InputException exception = Assert.Throws<InputException>(Load);
        Assert.Contains(expected, exception.Message, StringComparison.Ordinal);
        Assert.Contains(name, exception.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', exception.Message);
    }

    [Fact]
    public void TokenizerJsonIsTakenWhereThereIsNoModelFile()
    {
        File.Delete(Path.Combine(folder.FullName, "tokenizer.model"));
        Put("tokenizer.json", File.ReadAllBytes(Fixtures.Path("tiny-gqa", "tokenizer.json")));
        Assert.Equal([700, 537], Load().Encode("The"));
        // As in transformers 5, the template in tokenizer.json counts and not the flag.
        Put("tokenizer_config.json", """{"add_bos_token": false}""");
        Assert.Equal([700, 537], Load().Encode("The"));
    }

    private Tokenizer Load() => Tokenizer.Load(folder.FullName);

    private void Put(string name, string content) => Put(name, Encoding.UTF8.GetBytes(content));

    private void Put(string name, byte[] content) => File.WriteAllBytes(Path.Combine(folder.FullName, name), content);
}
