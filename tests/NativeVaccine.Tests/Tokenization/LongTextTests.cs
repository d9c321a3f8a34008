using System.Text;
using NativeVaccine.Data;
using NativeVaccine.Tokenization;

namespace NativeVaccine.Tests.Tokenization;

/// <summary>The first tokens of a text are the same whether or not the rest is looked at, and the rest of a long one is not.</summary>
public sealed class LongTextTests
{
    private static readonly string[] Folders =
    [
        "tiny-llama", "tiny-gqa", "tiny-qwen2", "tiny-mistral", "micro-llama", "tokenizers-json/gemma-split",
        "tokenizers-json/llama-metaspace-always", "tokenizers-json/llama-metaspace-first", "tokenizers-json/llama-metaspace-never",
        "tokenizers-json/llama-prepend",
    ];

    public static TheoryData<string> Tokenizers() => [.. Folders];

    [Theory]
    [MemberData(nameof(Tokenizers))]
    public void TheFirstTokensAreThoseOfTheWhole(string folder)
    {
        Tokenizer tokenizer = Tokenizer.Load(Fixtures.Path(folder.Split('/')));
        var random = new Random(5);
        for (int i = 0; i < 200; i++)
        {
            string text = MadeText(random);
            int[] whole = tokenizer.Encode(text);
            foreach (int most in new[] { 0, 1, 2, 3, 5, 8, 13, 40, whole.Length - 1, whole.Length, whole.Length + 1 }.Where(static most => most >= 0))
                Assert.Equal(whole.Take(most), tokenizer.Encode(text, most: most));
        }
    }

    /// <summary>Counted in bytes, which every machine takes alike.</summary>
    [Theory]
    [InlineData("tiny-llama")]
    [InlineData("tiny-gqa")]
    [InlineData("tokenizers-json/llama-prepend")]
    public void TheRestOfALongTextIsNotTokenized(string folder)
    {
        Tokenizer tokenizer = Tokenizer.Load(Fixtures.Path(folder.Split('/')));
        string text = string.Concat(Enumerable.Repeat("Herons fish in the river Elbe, and 12 cranes dance. ", 20_000));
        var record = new AlpacaRecord("Tell a story.", "", text);
        var short64 = new SampleBuilder(tokenizer, PromptTemplate.None, 64);
        var whole = new SampleBuilder(tokenizer, PromptTemplate.None, 10_000_000);
        Assert.Equal(short64.Build(record with { Output = text[..2000] })!.InputIds, short64.Build(record)!.InputIds);
        Assert.Equal(2, short64.CutCount);

        (long cut, long all) = (Allocated(() => short64.Build(record)), Allocated(() => whole.Build(record)));

        Assert.True(4 * cut < all, $"{cut} bytes for 64 tokens, {all} bytes for all");

        static long Allocated(Action action)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            action();
            return GC.GetAllocatedBytesForCurrentThread() - before;
        }
    }

    private static string MadeText(Random random)
    {
        string[] parts =
        [
            " ", "  ", "     ", "\n", "\n\n", "\t", "heron", "Herons", "the", "ing", "internationalization", "aaaaaaaa", "ab", "12", "3456", "'s",
            "caf\u00e9", "e\u0301", "\u4f60\u597d", "\ud83e\udd86", "\ud83c\uddf5", "<s>", "</s>", "<|x|>", "\u2581", "...", "!?", "\u00a0",
        ];
        var text = new StringBuilder();
        int count = random.Next(1, 60);
        for (int i = 0; i < count; i++) text.Append(parts[random.Next(parts.Length)]);
        return text.ToString();
    }
}
