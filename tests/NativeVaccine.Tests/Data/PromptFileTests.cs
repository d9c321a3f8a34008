using System.Text;
using NativeVaccine.Data;

namespace NativeVaccine.Tests.Data;

public class PromptFileTests
{
    [Fact]
    public void ReadsStringsRecordsAndLines()
    {
        using var array = new TemporaryFile(
            "p.json", """["one", {"instruction": "two", "input": "in", "output": "ignored"}, {"instruction": "three"}]""");
        Assert.Equal([new("one", "", ""), new("two", "in", "ignored"), new("three", "", "")], PromptFile.Read(array.Path));
        using var jsonLines = new TemporaryFile("p.jsonl", "\"one\"\n{\"instruction\": \"two\", \"input\": \"in\", \"output\": \"ignored\"}\n\n{\"instruction\": \"three\"}\n");
        Assert.Equal(PromptFile.Read(array.Path), PromptFile.Read(jsonLines.Path));
        using var lines = new TemporaryFile("p.txt", "one\r\n\n two \n[\"three\"]");
        Assert.Equal(["one", " two ", "[\"three\"]"], PromptFile.Read(lines.Path).Select(prompt => prompt.Instruction));
    }

    [Fact]
    public void FieldsThatAreNotUsedAreNamed()
    {
        using var file = new TemporaryFile("p.jsonl", """{"instruction": "one", "system": "Be brief.", "id": 1, "output": "two", "tools": ["a"]}""");
        var notices = new List<string>();
        PromptFile.Read(file.Path, notices.Add);
        Assert.Equal(
            [
                $"{file.Path}: 1 record has a system or history, which are not used",
                $"{file.Path}: fields that are not used, with the records that have them: tools (1)",
            ],
            notices);
    }

    [Theory]
    [InlineData("p.json", "[]", "no prompts")]
    [InlineData("p.txt", " \n", "no prompts")]
    [InlineData("p.json", "[1]", "prompt 0: found 1")]
    [InlineData("p.json", "[\"a\", {}]", "prompt 1: field 'instruction' is missing")]
    [InlineData("p.json", "\"a\"", "expected an array")]
    [InlineData("p.jsonl", "one\n", "p.jsonl:1: broken JSON")]
    [InlineData("p.csv", "goal,target\n", ".csv files are not read: expected .json (an array of prompts)")]
    [InlineData("p.tsv", "goal\ttarget\n", ".tsv files are not read")]
    [InlineData("p.txt", "goal,target\nName a bird,Sure\n", "its first line, 'goal,target', names the columns of a table")]
    [InlineData("p", "\"id\",\"Question\",\"kind\"\n1,a,b\n", "names the columns of a table")]
    [InlineData("p.txt", "\nBehavior\tBehaviorID\n", "names the columns of a table")]
    [InlineData("p.txt", "prompt\nName a bird.\n", "its first line, 'prompt', names the columns")]
    [InlineData("p.json", "[\"a\", \" \"]", "prompt 1: the prompt is empty: expected text")]
    [InlineData("p.jsonl", "{\"instruction\": \"\", \"input\": \"\\u00a0\"}", "p.jsonl:1: the prompt is empty")]
    [InlineData("p.jsonl", "{\"instruction\": null}", "p.jsonl:1: field 'instruction' is null: it has instruction")]
    [InlineData("p", "[{\"goal\": 1}]", "prompt 0: field 'instruction' is missing")]
    [InlineData("p.txt", "{\"instruction\": \"a\"}\n", "its first line is a JSON object: expected the name to end in .jsonl")]
    [InlineData("p.json", "[{\"goal\": \"a\", \"target\": \"b\"}]", "prompt 0: field 'instruction' is missing: this looks like AdvBench")]
    public void SaysWhatIsWrong(string name, string content, string expected)
    {
        InputException exception = Assert.Throws<InputException>(() => Parse(Encoding.UTF8.GetBytes(content), name));
        Assert.Contains(expected, exception.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("p.json")]
    [InlineData("p.txt")]
    [InlineData("p.jsonl")]
    public void DamagedFilesAreRefused(string name) => Mutation.Run(
        Path.GetExtension(name) == ".jsonl"
            ? "\"one\"\n{\"instruction\": \"two\", \"input\": \"caf\\u00e9\"}\n\"three é\"\n"u8.ToArray()
            : """["one", {"instruction": "two", "input": "caf\u00e9"}, "three é"]"""u8.ToArray(),
        count: 10_000,
        seed: 4,
        bytes => Parse(bytes, name));

    [Fact]
    public void OnlyLinesOfTextThatSayNothingAreLeftOut()
    {
        using var file = new TemporaryFile("p.txt", "one, two\n\n   \n\u00a0\u3000\r\nHello, question\n");
        var notices = new List<string>();
        Assert.Equal(["one, two", "Hello, question"], PromptFile.Read(file.Path, notices.Add).Select(prompt => prompt.Instruction));
        Assert.Equal([$"{file.Path}: lines that hold only white space and were left out: 2"], notices);
    }

    [Theory]
    [InlineData("""{"instruction": "one", "category": 7}""", "7")]
    [InlineData("""{"instruction": "one", "category": ["a", 7]}""", "a,7")]
    [InlineData("""{"instruction": "one", "category": ""}""", "")]
    [InlineData("""{"messages": [{"role": "user", "content": "one"}], "category": "a"}""", "a")]
    public void ACategoryIsANameOrANumberOrSeveral(string record, string expected)
    {
        using var file = new TemporaryFile("p.jsonl", record);
        Assert.Equal(expected, string.Join(',', PromptFile.Read(file.Path)[0].Categories));
    }

    /// <summary>A pipe's name has no suffix.</summary>
    [Theory]
    [InlineData("p", " [\"one\", {\"instruction\": \"two\"}]", new[] { "one", "two" })]
    [InlineData("63", "\n{\"instruction\": \"one\"}\n\"two\"\n", new[] { "one", "two" })]
    [InlineData("p", "\"one\"\n{\"instruction\": \"two\"}\n", new[] { "one", "two" })]
    [InlineData("p", "[INST] one\n\"two\" he said\n", new[] { "[INST] one", "\"two\" he said" })]
    [InlineData("p", "\"one\" she said\n", new[] { "\"one\" she said" })]
    [InlineData("p.ndjson", "\"one\"\n", new[] { "one" })]
    public void WithoutASuffixTheContentTells(string name, string content, string[] expected)
    {
        using var file = new TemporaryFile(name, content);
        Assert.Equal(expected, PromptFile.Read(file.Path).Select(prompt => prompt.Instruction));
    }

    private static List<AlpacaRecord> Parse(ReadOnlyMemory<byte> content, string name) =>
        PromptFile.Parse(content, name, DataFile.FormOf(name, content, "prompts", orText: true));
}
