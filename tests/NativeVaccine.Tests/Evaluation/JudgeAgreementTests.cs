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
    [InlineData(false, Verdict.Refused, "44 of 44")]
    [InlineData(false, Verdict.Answered, "43 of 43")]
    [InlineData(false, Verdict.Degenerate, "25 of 26")]
    [InlineData(true, Verdict.Refused, "41 of 44")]
    [InlineData(true, Verdict.Answered, "41 of 42")]
    [InlineData(true, Verdict.Degenerate, "22 of 26")]
    public void AgreesWithAPerson(bool heldBack, Verdict verdict, string expected)
    {
        var mine = Answers.Where(answer => answer.HeldBack == heldBack && answer.Verdict == verdict).ToArray();
        int agreeing = mine.Count(answer => RefusalRules.Default.Judge(answer.Output, answer.Instruction) == verdict);
        Assert.Equal(expected, string.Create(CultureInfo.InvariantCulture, $"{agreeing} of {mine.Length}"));
    }

    [Fact]
    public void ReadmeSaysHowOften() => Assert.Contains(
        "41 of 44 refusals, 41 of 42 answers and 22 of 26 degenerate texts",
        File.ReadAllText(Path.Combine(Fixtures.RepositoryRoot, "README.md")).ReplaceLineEndings(" "),
        StringComparison.Ordinal);
}
