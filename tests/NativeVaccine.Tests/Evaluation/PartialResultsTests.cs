using System.Text.Json.Nodes;
using NativeVaccine.Evaluation;
using NativeVaccine.Tests.Models;

namespace NativeVaccine.Tests.Evaluation;

public sealed class PartialResultsTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void AnswersAreThereAgainUpToWhatWasTorn()
    {
        string path = folder.File("score.json.partial.jsonl");
        using (PartialResults<int[]> log = Open(path))
        {
            log.Append(3, [5, 6]);
            log.Append(0, []);
        }
        File.AppendAllText(path, "{\"index\":1,\"ids\":[7");
        using (PartialResults<int[]> log = Open(path))
        {
            Assert.Equal([0, 3], log.Results.Keys.Order());
            Assert.Equal([5, 6], log.Results[3]);
            log.Append(2, [9]);
        }
        using PartialResults<int[]> last = Open(path);
        Assert.Equal([0, 2, 3], last.Results.Keys.Order());
        last.Remove();
        Assert.False(File.Exists(path));
    }

    [Theory]
    [InlineData("{\"index\":4,\"ids\":[1]}")]
    [InlineData("{\"index\":-1,\"ids\":[1]}")]
    [InlineData("{\"index\":1,\"ids\":[10]}")]
    [InlineData("{\"index\":1}")]
    [InlineData("[]")]
    public void WhatCannotBeAnAnswerIsMadeAgain(string line)
    {
        string path = folder.File("log");
        using (PartialResults<int[]> log = Open(path)) log.Append(0, [1]);
        File.AppendAllText(path, line + "\n{\"index\":2,\"ids\":[1]}\n");
        using PartialResults<int[]> again = Open(path);
        Assert.Equal([0], again.Results.Keys);
    }

    [Fact]
    public void ResultsOfAnotherModelAreRefused()
    {
        string path = folder.File("log");
        Open(path).Dispose();
        InputException exception = Assert.Throws<InputException>(() => PartialResults.Open(path, Origin("other"), 4, PartialField.NewTokens(10)));
        Assert.Contains("whose model was \"a\" and is now \"other\"", exception.Message, StringComparison.Ordinal);

        File.WriteAllText(path, "my notes");
        Assert.Contains("holds no results", Assert.Throws<InputException>(() => Open(path)).Message, StringComparison.Ordinal);
        Assert.Equal("my notes", File.ReadAllText(path));
    }

    [Theory]
    [InlineData("seed", "\"3\"", "\"4\"", "whose seed was \"3\" and is now \"4\":")]
    [InlineData("seed", "\"3\"", null, "whose seed was \"3\" and is now nothing:")]
    [InlineData("files", "[\"a 1\",\"b 1\"]", "[\"a 1\",\"b 2\"]", "whose files was \"b 1\" and is now \"b 2\":")]
    public void TheOptionThatDiffersIsNamedAmongMany(string name, string then, string? now, string expected)
    {
        string path = folder.File("many.jsonl");
        PartialResults.Open(path, Options(then), 4, PartialField.NewTokens(10)).Dispose();
        InputException exception = Assert.Throws<InputException>(() => PartialResults.Open(path, Options(now), 4, PartialField.NewTokens(10)));
        Assert.Contains(expected, exception.Message, StringComparison.Ordinal);

        JsonObject Options(string? value) => new()
        {
            ["options"] = new JsonObject { ["model"] = new string('m', 200), [name] = value is null ? null : JsonNode.Parse(value) },
        };
    }

    private static PartialResults<int[]> Open(string path) => PartialResults.Open(path, Origin("a"), questions: 4, PartialField.NewTokens(10));

    private static JsonObject Origin(string model) => new() { ["model"] = model, ["prompts"] = "0123" };
}
