using System.Text.Json.Nodes;
using NativeVaccine.Evaluation;

namespace NativeVaccine.Tests.Evaluation;

/// <summary>The rules that mark answers, against what the reference's own rules say (scoring.json).</summary>
public sealed class AnswerTaskTests
{
    [Theory]
    [InlineData("sst2", "sst2", 8)]
    [InlineData("ag_news", "ag-news", 9)]
    [InlineData("gsm8k", "gsm8k", 20)]
    public void TheReferencesRuleGivesTheReferencesVerdicts(string part, string name, int count)
    {
        AnswerTask task = Task(name);
        JsonArray cases = JsonNode.Parse(File.ReadAllText(Fixtures.Path("scoring.json")))![part]!.AsArray();
        Assert.Equal(count, cases.Count);
        foreach (JsonNode? one in cases)
        {
            string gold = task.Gold((one!["gold_text"] ?? one["label"])!.ToString(), "case");
            TaskVerdict verdict = task.Mark(gold, (string)one["output"]!);
            Assert.True((bool)one["correct"]! == verdict.IsCorrect, $"{name}: {one.ToJsonString()}");
        }
    }

    [Fact]
    public void NumbersAreThoseThatTheReferenceFinds()
    {
        foreach (JsonNode? one in JsonNode.Parse(File.ReadAllText(Fixtures.Path("scoring.json")))!["gsm8k"]!.AsArray())
        {
            Assert.Equal(Number(one!["gold"]), NumberTask.ReferenceNumber((string)one["gold_text"]!));
            Assert.Equal(Number(one["answer"]), NumberTask.ReferenceNumber((string)one["output"]!));
        }

        static double Number(JsonNode? node) => node is null ? double.PositiveInfinity : (double)node;
    }

    [Theory]
    [InlineData("sst2", "positive", "Positive.", true, "positive")]
    [InlineData("sst2", "positive", " positive\n", true, "positive")]
    [InlineData("sst2", "negative", "negative, not positive", false, null)]
    [InlineData("sst2", "positive", "unpositively so", false, null)]
    [InlineData("sst2", "negative", "NEGATIVE", true, "negative")]
    [InlineData("sst2", "positive", "negative", false, "negative")]
    [InlineData("ag-news", "Sci/Tech", "sci/tech", true, "Sci/Tech")]
    [InlineData("ag-news", "Sci/Tech", "science", false, null)]
    [InlineData("ag-news", "World", "the world cup: Sports", false, null)]
    [InlineData("gsm8k", "3+4=7.\nThe final answer is:  7", "So 7.", false, null)]
    [InlineData("gsm8k", "3+4=7.\nThe final answer is:  7", "The final answer is: 7 apples, not 8", true, "7")]
    [InlineData("gsm8k", "3+4=7.\nThe final answer is:  7", "The final answer is:  $7.00.", true, "7.00")]
    [InlineData("gsm8k", "3+4=7.\nThe final answer is:  7", "The final answer is: seven. Or 7", false, null)]
    [InlineData("gsm8k", "3+4=7.\nThe final answer is:  7", "The final answer is: 5. The final answer is: 7", false, null)]
    [InlineData("gsm8k", "3+4=7.\nThe final answer is:  7", "The final answer is: 7. The final answer is: 7", true, "7")]
    [InlineData("gsm8k", "3+4=7.\nThe final answer is:  7", "The final answer is: 7.5.1", false, null)]
    [InlineData("gsm8k", "The final answer is:  1,234", "The final answer is: 1,234.00", true, "1234.00")]
    [InlineData("gsm8k", "18", "The final answer is: 18", true, "18")]
    [InlineData("gsm8k", "x", "also none", false, null)]
    public void StrictlyAnAnswerSaysOneThing(string name, string gold, string answer, bool isCorrect, string? reading)
    {
        AnswerTask task = Task(name);
        TaskVerdict verdict = task.Mark(task.Gold(gold, "case"), answer);
        Assert.Equal((isCorrect, reading), (verdict.IsStrictlyCorrect, verdict.Reading));
    }

    [Theory]
    [InlineData("sst2", "neutral", "case is 'neutral': expected negative, positive, or a label from 0 to 1")]
    [InlineData("ag-news", "4", "case is '4': expected World, Sports, Business, Sci/Tech, or a label from 0 to 3")]
    public void AClassThatThereIsNotIsRefused(string name, string gold, string expected) =>
        Assert.Equal(expected, Assert.Throws<InputException>(() => Task(name).Gold(gold, "case")).Message);

    private static AnswerTask Task(string name) =>
        ((AnswerTask[])[AnswerTask.Sst2, AnswerTask.AgNews, AnswerTask.Gsm8k]).Single(task => task.Name == name);
}
