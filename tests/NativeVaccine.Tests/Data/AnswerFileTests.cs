using System.Text;
using NativeVaccine.Data;

namespace NativeVaccine.Tests.Data;

public class AnswerFileTests
{
    private const string Record = """{"instruction": "one", "input": "in", "output": "", "verdict": "refused"}""";

    [Theory]
    [InlineData("a.jsonl", Record)]
    [InlineData("a.json", "[" + Record + "]")]
    [InlineData("a.json", "{\"harmful_score\": 0, \"samples\": [" + Record + "]}")]
    [InlineData("a", "{\"harmful_score\": 0, \"samples\": [" + Record + "]}")]
    [InlineData("a", "{\"harmful_score\": 0,\n \"samples\": [" + Record + "]}")]
    [InlineData("a", "[" + Record + "]")]
    [InlineData("a", Record)]
    [InlineData("a.ndjson", Record)]
    public void ReadsRecordsAndResults(string name, string content)
    {
        using var file = new TemporaryFile(name, content);
        Assert.Equal([new("one", "in", "")], AnswerFile.Read(file.Path));
    }

    [Theory]
    [InlineData("a.jsonl", "", "no answers")]
    [InlineData("a.json", "{\"samples\": []}", "found an object: expected an array of records")]
    [InlineData("a.json", "{\"samples\": [{\"prompt\": \"a\", \"text\": \"b\"}]}", "samples[0]: field 'instruction' is missing")]
    [InlineData("a.jsonl", "{\"instruction\": \"a\"}", "a.jsonl:1: field 'output' is missing")]
    [InlineData("a.jsonl", "{\"instruction\": \"a\", \"output\": null}", "a.jsonl:1: field 'output' is null: it has instruction, output; expected")]
    [InlineData("a", "a,b\n", "a: unknown kind of data: expected .json")]
    [InlineData("a.txt", "a", ".txt files are not read")]
    public void SaysWhatIsWrong(string name, string content, string expected)
    {
        InputException exception = Assert.Throws<InputException>(() => Parse(Encoding.UTF8.GetBytes(content), name));
        Assert.Contains(expected, exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void DamagedFilesAreRefused() => Mutation.Run(
        Encoding.UTF8.GetBytes("{\"harmful_score\": 0, \"samples\": [" + Record + "]}"),
        count: 10_000,
        seed: 6,
        bytes => Parse(bytes, "a.json"));

    private static List<AlpacaRecord> Parse(ReadOnlyMemory<byte> content, string name) =>
        AnswerFile.Parse(content, name, DataFile.FormOf(name, content, "records", orText: false));
}
