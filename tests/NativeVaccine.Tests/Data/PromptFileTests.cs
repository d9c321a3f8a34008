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
        using var lines = new TemporaryFile("p.txt", "one\r\n\n two \n[\"three\"]");
        Assert.Equal(["one", " two ", "[\"three\"]"], PromptFile.Read(lines.Path).Select(prompt => prompt.Instruction));
    }

    [Theory]
    [InlineData("p.json", "[]", "no prompts")]
    [InlineData("p.txt", " \n", "no prompts")]
    [InlineData("p.json", "[1]", "prompt 0: found 1")]
    [InlineData("p.json", "[\"a\", {}]", "prompt 1: field 'instruction' is missing")]
    [InlineData("p.json", "\"a\"", "expected an array")]
    public void SaysWhatIsWrong(string name, string content, string expected)
    {
        InputException exception = Assert.Throws<InputException>(() => PromptFile.Parse(Encoding.UTF8.GetBytes(content), name));
        Assert.Contains(expected, exception.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("p.json")]
    [InlineData("p.txt")]
    public void DamagedFilesAreRefused(string name) => Mutation.Run(
        """["one", {"instruction": "two", "input": "caf\u00e9"}, "three é"]"""u8.ToArray(),
        count: 10_000,
        seed: 4,
        bytes => PromptFile.Parse(bytes, name));
}
