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
    [InlineData("p.txt", "{\"instruction\": \"a\"}\n", "its first line is a JSON object: expected the name to end in .jsonl")]
    [InlineData("p.json", "[{\"goal\": \"a\", \"target\": \"b\"}]", "prompt 0: field 'instruction' is missing: this looks like AdvBench")]
    public void SaysWhatIsWrong(string name, string content, string expected)
    {
        InputException exception = Assert.Throws<InputException>(() => PromptFile.Parse(Encoding.UTF8.GetBytes(content), name));
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
        bytes => PromptFile.Parse(bytes, name));
}
