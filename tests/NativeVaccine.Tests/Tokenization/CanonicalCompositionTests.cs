using System.Globalization;
using NativeVaccine.Tokenization;

namespace NativeVaccine.Tests.Tokenization;

public class CanonicalCompositionTests
{
    [Theory]
    [InlineData("plain ASCII", "plain ASCII")]
    [InlineData("caf\u00E9", "caf\u00E9")]
    [InlineData("cafe\u0301", "caf\u00E9")]
    [InlineData("\u212B", "\u00C5")]
    [InlineData("q\u0307\u0323", "q\u0323\u0307")]
    [InlineData("\u1100\u1161\u11A8", "\uAC01")]
    [InlineData("\u0958", "\u0915\u093C")]
    [InlineData("\U0001D15E", "\U0001D157\U0001D165")]
    [InlineData("a\u0315\u0300\u05AE\u0300b", "\u00E0\u05AE\u0300\u0315b")]
    public void KnownCases(string text, string expected) => Assert.Equal(expected, CanonicalComposition.Normalize(text));

    [Fact]
    public void CasesOfAnotherImplementation()
    {
        string path = Path.Combine(
            Fixtures.RepositoryRoot, "tests", "NativeVaccine.Tests", "Tokenization", "normalization-form-c.txt");
        string[] lines = [.. File.ReadLines(path).Where(line => !line.StartsWith('#'))];
        Assert.Equal(400, lines.Length);
        foreach (string line in lines)
        {
            string[] texts = [.. line.Split(';').Select(Text)];
            Assert.True(texts[1] == CanonicalComposition.Normalize(texts[0]), line);
            Assert.True(texts[1] == CanonicalComposition.Normalize(texts[1]), line);
        }
    }

    private static string Text(string codePoints) => string.Concat(
        codePoints.Split(' ')
            .Select(digits => int.Parse(digits, NumberStyles.HexNumber, CultureInfo.InvariantCulture))
            .Select(char.ConvertFromUtf32));
}
