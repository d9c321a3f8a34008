using NativeVaccine.Tokenization;

namespace NativeVaccine.Tests.Tokenization;

public class SentencePieceTests
{
    [Fact]
    public void TheHighestScoreIsJoinedFirstAndTheLeftMostOfEquals()
    {
        SentencePieceTokenizer tokenizer = new SentencePieceWriter { AddDummyPrefix = false }
            .AddSpecials().Add("a", -9).Add("b", -9).Add("aa", -1).Add("ab", -2).ToTokenizer();
        Assert.Equal(["aa", "a"], Pieces(tokenizer, "aaa"));
        Assert.Equal(["aa", "aa", "a"], Pieces(tokenizer, "aaaaa"));
        Assert.Equal(["aa", "b"], Pieces(tokenizer, "aab"));
        Assert.Equal(["ab", "ab"], Pieces(tokenizer, "abab"));
    }

    [Fact]
    public void SpacesAreHandledAsTheModelSays()
    {
        SentencePieceWriter Model(bool prefix, bool remove) =>
            new SentencePieceWriter { AddDummyPrefix = prefix, RemoveExtraWhitespaces = remove }.AddSpecials().Add("a").Add("▁");
        Assert.Equal(["▁", "▁", "▁", "a", "▁", "▁", "a", "▁"], Pieces(Model(prefix: true, remove: false).ToTokenizer(), "  a  a "));
        Assert.Equal(["▁", "▁", "a"], Pieces(Model(prefix: false, remove: false).ToTokenizer(), "  a"));
        Assert.Equal(["▁", "a", "▁", "a"], Pieces(Model(prefix: true, remove: true).ToTokenizer(), "  a  a "));
        Assert.Empty(Pieces(Model(prefix: true, remove: true).ToTokenizer(), "  "));
        Assert.Empty(Pieces(Model(prefix: true, remove: false).ToTokenizer(), ""));
    }

    [Fact]
    public void DecodeTakesAwayOnlyTheSpaceThatEncodePut()
    {
        SentencePieceTokenizer with = new SentencePieceWriter().AddSpecials().Add("▁").Add("a").Add("▁a", 1).ToTokenizer();
        foreach (string text in new[] { "a a", "  a", " ", "a " })
            Assert.Equal(text, with.Decode(with.Encode(text)));
        SentencePieceTokenizer without = new SentencePieceWriter { AddDummyPrefix = false }.AddSpecials().Add("▁").Add("a").ToTokenizer();
        Assert.Equal(" a", without.Decode(without.Encode(" a")));
    }

    [Fact]
    public void UserDefinedPiecesAreTakenWholeAndNotJoined()
    {
        SentencePieceTokenizer tokenizer = new SentencePieceWriter { AddDummyPrefix = false }
            .AddSpecials().Add("a").Add("b").Add("ab", 5).Add("bb", 5).Add("<br>", kind: PieceKind.UserDefined)
            .Add("<br><br>", kind: PieceKind.UserDefined).Add("a<br>", 9).ToTokenizer();
        Assert.Equal(["a", "<br><br>", "<br>", "ab"], Pieces(tokenizer, "a<br><br><br>ab"));
        Assert.Equal(["a", "<br>", "bb"], Pieces(tokenizer, "a<br>bb"));
    }

    [Fact]
    public void UnusedPiecesAreTakenApartAgain()
    {
        SentencePieceTokenizer tokenizer = new SentencePieceWriter { AddDummyPrefix = false }
            .AddSpecials().Add("a").Add("b").Add("c").Add("ab", 1).Add("abc", 0, PieceKind.Unused).ToTokenizer();
        Assert.Equal(["ab", "c"], Pieces(tokenizer, "abc"));
    }

    [Fact]
    public void WithoutByteFallbackARunOfUnknownsIsOneToken()
    {
        SentencePieceTokenizer tokenizer = new SentencePieceWriter { AddDummyPrefix = false }.AddSpecials().Add("a").ToTokenizer();
        Assert.Equal(["<unk>", "a", "<unk>"], Pieces(tokenizer, "xyzaé"));
        Assert.Equal("a", tokenizer.Decode(tokenizer.Encode("xa")));
        Assert.Equal("<unk>a", tokenizer.Decode(tokenizer.Encode("xa", addSpecialTokens: false), skipSpecialTokens: false));
    }

    [Fact]
    public void BytesThatAreNoTextBecomeReplacementCharacters()
    {
        SentencePieceTokenizer tokenizer = WithBytes().ToTokenizer();
        int[] ids = [3 + 0x41, 3 + 0xE2, 3 + 0x82, 3 + 0x42, 3 + 0xC3, 3 + 0xA9];
        Assert.Equal("A\uFFFD\uFFFDBé", tokenizer.Decode(ids));
        Assert.Equal(["<0xC3>", "<0xA9>"], Pieces(tokenizer, "é"));
    }

    [Fact]
    public void PiecesThatSpellControlsAreNeverMadeOfText()
    {
        SentencePieceTokenizer tokenizer = WithBytes().ToTokenizer();
        Assert.DoesNotContain(2, tokenizer.Encode("</s>"));
        Assert.Equal("</s>", tokenizer.Decode(tokenizer.Encode("</s>")));
        Assert.Equal("<0x41>", tokenizer.Decode(tokenizer.Encode("<0x41>")));
    }

    /// <summary>Would take hours if it were quadratic.</summary>
    [Fact]
    public void LongRunsAreNoTrouble()
    {
        Tokenizer tokenizer = Tokenizer.Load(Fixtures.Path("tiny-llama"));
        string text = new('a', 2_000_000);
        Assert.Equal(text, tokenizer.Decode(tokenizer.Encode(text)));
    }

    [Theory]
    [InlineData(1, "type unigram")]
    [InlineData(3, "type word")]
    [InlineData(9, "type 9")]
    public void OnlyBpeIsTaken(int type, string expected) => Refuses(new SentencePieceWriter { ModelType = type }.AddSpecials(), expected);

    [Fact]
    public void WhatIsNotSupportedIsSaid()
    {
        Refuses(new SentencePieceWriter { CharacterMap = [1] }.AddSpecials(), "precompiled_charsmap");
        Refuses(new SentencePieceWriter { WhitespaceAsSuffix = true }.AddSpecials(), "treat_whitespace_as_suffix");
        Refuses(new SentencePieceWriter { ByteFallback = true }.AddSpecials(), "byte 0x00");
        Refuses(new SentencePieceWriter().Add("a"), "no piece for the unknown");
        Refuses(new SentencePieceWriter().AddSpecials().Add("a").Add("a"), "occurs twice");
        Refuses(new SentencePieceWriter().AddSpecials().Add(""), "piece 3 is empty");
        Refuses(new SentencePieceWriter().AddSpecials().Add("a", float.NaN), "not a number");
        Refuses(new SentencePieceWriter().AddSpecials().Add("a", 0, (PieceKind)7), "kind 7");
        Refuses(new SentencePieceWriter().AddSpecials().Add(new string('a', 5000)), "5000 bytes");
        Refuses(new SentencePieceWriter { ByteFallback = true }.AddSpecials().Add("<0xZZ>", 0, PieceKind.Byte), "<0xZZ>");
    }

    [Fact]
    public void CutOffAnywhereIsRefusedOrRead()
    {
        byte[] bytes = new SentencePieceWriter().AddSpecials().Add("ab", 1).ToBytes();
        int refused = 0;
        for (int length = 0; length < bytes.Length; length++)
        {
            try
            {
                SentencePieceModel.Parse(bytes.AsSpan(0, length), "cut.model");
            }
            catch (InputException)
            {
                refused++;
            }
        }

        Assert.InRange(refused, bytes.Length / 2, bytes.Length);
    }

    [Fact]
    public void DamagedModelsAreRefusedOrWork()
    {
        byte[] bytes = File.ReadAllBytes(Fixtures.Path("tiny-llama", "tokenizer.model"));
        var configuration = new TokenizerConfiguration { Source = "damaged" };
        Mutation.Run(bytes, count: 10_000, seed: 6, damaged =>
        {
            var tokenizer = new SentencePieceTokenizer(SentencePieceModel.Parse(damaged, "damaged.model"), configuration);
            tokenizer.Decode(tokenizer.Encode("The café, 東京 \n\n and 🦊 <unk>"), skipSpecialTokens: false);
        });
    }

    private static SentencePieceWriter WithBytes()
    {
        SentencePieceWriter writer = new SentencePieceWriter { ByteFallback = true, AddDummyPrefix = false }.AddSpecials();
        for (int value = 0; value < 256; value++)
            writer.Add($"<0x{value:X2}>", 0, PieceKind.Byte);
        return writer;
    }

    private static string[] Pieces(Tokenizer tokenizer, string text) =>
        [.. tokenizer.Encode(text, addSpecialTokens: false).Select(tokenizer.Piece)];

    private static void Refuses(SentencePieceWriter writer, string expected)
    {
        InputException exception = Assert.Throws<InputException>(() => writer.ToTokenizer());
        Assert.Contains(expected, exception.Message, StringComparison.Ordinal);
        Assert.Contains("made.model", exception.Message, StringComparison.Ordinal);
    }
}
