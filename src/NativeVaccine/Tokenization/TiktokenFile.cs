using System.Buffers;
using System.Buffers.Text;
using System.Globalization;
using NativeVaccine.IO;
using SharpToken;

namespace NativeVaccine.Tokenization;

/// <summary>Reads tiktoken's files: a token a line, its bytes in base64 and its rank, which is its id.</summary>
internal static class TiktokenFile
{
    /// <summary>The end token of GPT-2.</summary>
    public const string Gpt2End = "<|endoftext|>";

    private const int Gpt2EndId = 50256;
    private const string Gpt2Resource = "SharpToken.data.r50k_base.tiktoken";

    /// <summary>Llama-3's first tokens after its 128,000 ranks, as the publisher's own code numbers them.</summary>
    private static readonly (int Id, string Text)[] Llama3Specials =
        [(128000, "<|begin_of_text|>"), (128001, "<|end_of_text|>"), (128009, "<|eot_id|>")];

    /// <summary>True if the bytes begin with a line of such a file (a SentencePiece model begins with a line feed).</summary>
    public static bool IsOne(ReadOnlySpan<byte> bytes)
    {
        int end = bytes.IndexOf((byte)'\n');
        return TryReadLine(end < 0 ? bytes : bytes[..end], out _, out _);
    }

    /// <summary>Reads such a file as a model folder's tokenizer, with Llama-3's split pattern.</summary>
    /// <remarks>
    /// The file names no special tokens; without other files beside it, those of Llama-3 are taken where the ranks are Llama-3's.
    /// </remarks>
    /// <exception cref="InputException">A line is damaged.</exception>
    public static ByteLevelTokenizer Parse(ReadOnlyMemory<byte> bytes, string source, TokenizerConfiguration configuration)
    {
        ByteLevelVocabulary vocabulary = Ranks(bytes, source);
        bool llama3 = configuration.AddedTokens.Count == 0 && vocabulary.BytesById.Count == Llama3Specials[0].Id;
        IReadOnlyDictionary<int, AddedToken> added = llama3
            ? Llama3Specials.ToDictionary(token => token.Id, token => new AddedToken(token.Text, IsSpecial: true))
            : configuration.AddedTokens;
        var special = SpecialTokens.Resolve(
            configuration,
            text => TokenizerJson.IdOf(added, text),
            frame: null,
            llama3 ? Llama3Specials[0].Id : null,
            llama3 ? Llama3Specials[1].Id : null,
            addsByDefault: true);
        return Make(vocabulary, SplitPatterns.Llama3, added, special, source);
    }

    /// <summary>GPT-2's vocabulary, which SharpToken carries within itself.</summary>
    public static ByteLevelTokenizer BuiltIn()
    {
        using Stream resource = typeof(GptEncoding).Assembly.GetManifestResourceStream(Gpt2Resource)
            ?? throw new InvalidOperationException($"SharpToken has no resource {Gpt2Resource}");
        byte[] bytes = new byte[resource.Length];
        resource.ReadExactly(bytes);
        var added = new Dictionary<int, AddedToken> { [Gpt2EndId] = new(Gpt2End, IsSpecial: true) };
        var special = new SpecialTokens(null, AddsBeginOfSequence: false, Gpt2EndId);
        return Make(Ranks(bytes, Gpt2Resource), SplitPatterns.Gpt2, added, special, Gpt2Resource);
    }

    private static ByteLevelTokenizer Make(
        ByteLevelVocabulary vocabulary, string pattern, IReadOnlyDictionary<int, AddedToken> added, SpecialTokens special, string source)
    {
        var preparation = new TextPreparation([SplitPatterns.Find(pattern, source)], NormalizesToNfc: false, AddsPrefixSpace: false);
        return new ByteLevelTokenizer(vocabulary, preparation, added, special, source);
    }

    private static ByteLevelVocabulary Ranks(ReadOnlyMemory<byte> bytes, string source)
    {
        var tokens = new Dictionary<int, byte[]>();
        foreach ((int number, ReadOnlyMemory<byte> line) in JsonFile.Lines(bytes))
        {
            if (!TryReadLine(line.Span, out byte[] token, out int rank) || !tokens.TryAdd(rank, token))
            {
                throw new InputException(string.Create(
                    CultureInfo.InvariantCulture,
                    $"{source}:{number}: expected a token in base64, a space, and a rank that no other line has"));
            }
        }

        return ByteLevelVocabulary.FromRanks(tokens, source);
    }

    private static bool TryReadLine(ReadOnlySpan<byte> line, out byte[] token, out int rank)
    {
        line = line.TrimEnd((byte)'\r');
        int space = line.IndexOf((byte)' ');
        token = [];
        rank = 0;
        if (space <= 0 || !Utf8Parser.TryParse(line[(space + 1)..], out rank, out int consumed) || consumed != line.Length - space - 1)
            return false;
        byte[] decoded = new byte[Base64.GetMaxDecodedFromUtf8Length(space)];
        if (Base64.DecodeFromUtf8(line[..space], decoded, out _, out int written) != OperationStatus.Done || written == 0)
            return false;
        token = decoded[..written];
        return rank is >= 0 and <= TokenizerConfiguration.LargestId;
    }
}
