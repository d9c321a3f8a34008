using System.Text;
using System.Text.Json;
using NativeVaccine.Tokenization;

namespace NativeVaccine.Tests.Tokenization;

/// <summary>The tokenizers of published models against lists of strings with the ids that Hugging Face's tokenizers give.</summary>
public sealed class PublishedTokenizerTests : IDisposable
{
    private const int StringsInAList = 46;

    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("nativevaccine-");

    public void Dispose() => folder.Delete(recursive: true);

    [PublishedTokenizerFact]
    public void Llama2()
    {
        Copy("llama2.model", "tokenizer.model");
        Tokenizer tokenizer = Check("llama-spm", decodes: true);
        Assert.Equal((1, 2, 32000), (tokenizer.BeginOfSequenceId, tokenizer.EndOfSequenceId, tokenizer.VocabularySize));
        Assert.Equal([13, 2277, 29937, 13291, 29901], tokenizer.Encode("\n### Response:", addSpecialTokens: false)[1..]);
    }

    [PublishedTokenizerFact]
    public void Llama3()
    {
        Copy("llama3.model", "tokenizer.model");
        Tokenizer tokenizer = Check("llama-bpe", decodes: true);
        Assert.Equal((128000, 128001), (tokenizer.BeginOfSequenceId, tokenizer.EndOfSequenceId));
        Assert.Equal([128000, 9906], tokenizer.Encode("Hello"));
    }

    [PublishedTokenizerFact]
    public void Qwen2()
    {
        Copy("qwen2-vocab.json", "vocab.json");
        Copy("qwen2-merges.txt", "merges.txt");
        Copy("qwen2-tokenizer_config.json", "tokenizer_config.json");
        Copy("qwen2-added_tokens.json", "added_tokens.json");
        Tokenizer tokenizer = Check("qwen2", decodes: true);
        Assert.Equal((null, 151645, 151646), (tokenizer.BeginOfSequenceId, tokenizer.EndOfSequenceId, tokenizer.VocabularySize));
        Assert.Equal(tokenizer.Encode("caf\u00E9"), tokenizer.Encode("cafe\u0301"));
    }

    /// <summary>9,004 strings a vocabulary, made and answered by tests/published-tokenizers.sh FOLDER.</summary>
    [PublishedVocabularyTheory]
    [InlineData("llama2")]
    [InlineData("mistral")]
    [InlineData("llama3_1")]
    [InlineData("qwen3")]
    [InlineData("gemma3")]
    [InlineData("deepseek_v3")]
    public void IdsAndTextAreThoseOfTheRustLibrary(string name)
    {
        string folder = PublishedVocabularyTheoryAttribute.Folder!;
        Tokenizer tokenizer = Tokenizer.Load(Path.Combine(folder, name));
        string[] texts = Read<string[]>(Path.Combine(folder, "texts.json"));
        Expected expected = Read<Expected>(Path.Combine(folder, name, "expected.json"));
        Assert.True(texts.Length > 9_000);
        for (int i = 0; i < texts.Length; i++)
        {
            Assert.Equal(expected.Ids[i], tokenizer.Encode(texts[i]));
            Assert.Equal(expected.Decoded[i], tokenizer.Decode(expected.Ids[i]));
        }
    }

    private static T Read<T>(string path) => JsonSerializer.Deserialize<T>(File.ReadAllText(path), JsonSerializerOptions.Web)!;

    private sealed record Expected(int[][] Ids, string[] Decoded);

    private void Copy(string from, string to) => File.Copy(Fixtures.PublishedTokenizer(from), Path.Combine(folder.FullName, to));

    private Tokenizer Check(string list, bool decodes)
    {
        Tokenizer tokenizer = Tokenizer.Load(folder.FullName);
        string[] texts = File.ReadAllText(Fixtures.PublishedTokenizer($"{list}.inp")).Split("\n__ggml_vocab_test__\n");
        string[] lines = File.ReadAllText(Fixtures.PublishedTokenizer($"{list}.out")).Split('\n');
        var differences = new StringBuilder();
        int compared = 0;
        for (int i = 0; i < texts.Length && compared < StringsInAList; i++, compared++)
        {
            int[] expected = [.. lines[i].Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(int.Parse)];
            int[] actual = tokenizer.Encode(texts[i], addSpecialTokens: false);
            if (!expected.SequenceEqual(actual))
                differences.AppendLine($"'{texts[i]}': expected {string.Join(' ', expected)}, got {string.Join(' ', actual)}");
            else if (decodes && tokenizer.Decode(actual) != texts[i])
                differences.AppendLine($"'{texts[i]}' came back as '{tokenizer.Decode(actual)}'");
        }

        Assert.Equal("", differences.ToString());
        Assert.Equal(StringsInAList, compared);
        return tokenizer;
    }
}
