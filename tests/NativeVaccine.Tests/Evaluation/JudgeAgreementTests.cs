using System.Globalization;
using System.Text.Json;
using NativeVaccine.Evaluation;

namespace NativeVaccine.Tests.Evaluation;

/// <summary>How often the built-in rules agree with a person. The numbers are what they are, and README states them: no goal is set.</summary>
public class JudgeAgreementTests
{
    private static readonly (string Instruction, string Output, Verdict Verdict, bool HeldBack)[] Answers =
    [
        .. File.ReadLines(Fixtures.Path("judge", "answers.jsonl")).Select(static line =>
        {
            using JsonDocument document = JsonDocument.Parse(line);
            JsonElement record = document.RootElement;
            return (
                record.GetProperty("instruction").GetString()!,
                record.GetProperty("output").GetString()!,
                Enum.Parse<Verdict>(record.GetProperty("verdict").GetString()!, ignoreCase: true),
                record.GetProperty("held_back").GetBoolean());
        }),
    ];

    [Theory]
    [InlineData(false, Verdict.Refused, "57 of 57")]
    [InlineData(false, Verdict.Answered, "56 of 56")]
    [InlineData(false, Verdict.Degenerate, "30 of 31")]
    [InlineData(true, Verdict.Refused, "52 of 57")]
    [InlineData(true, Verdict.Answered, "50 of 54")]
    [InlineData(true, Verdict.Degenerate, "27 of 31")]
    public void AgreesWithAPerson(bool heldBack, Verdict verdict, string expected)
    {
        var mine = Answers.Where(answer => answer.HeldBack == heldBack && answer.Verdict == verdict).ToArray();
        int agreeing = mine.Count(answer => RefusalRules.Default.Judge(answer.Output, answer.Instruction) == verdict);
        Assert.Equal(expected, string.Create(CultureInfo.InvariantCulture, $"{agreeing} of {mine.Length}"));
    }

    [Fact]
    public void ReadmeSaysHowOften() => Assert.Contains(
        "52 of 57 refusals, 50 of 54 answers and 27 of 31 degenerate texts",
        File.ReadAllText(Path.Combine(Fixtures.RepositoryRoot, "README.md")).ReplaceLineEndings(" "),
        StringComparison.Ordinal);
}
