using NativeVaccine.Tests.Models;

namespace NativeVaccine.Tests.Cli;

public sealed class ConfigurationFileTests
{
    [Fact]
    public void AFileGivesOptionsAndTheCommandLineGoesBeforeIt()
    {
        using var folder = new TemporaryFolder();
        string model = Fixtures.Path("tiny-llama").Replace('\\', '/');
        string file = Write(folder, $$"""{"model": "{{model}}", "text": "from the file"}""");
        Assert.Contains("decoded  from the file", CommandLine.Succeed("tokenize", "--config", file).Output, StringComparison.Ordinal);
        Assert.Contains("decoded  mine", CommandLine.Succeed("tokenize", "--config", file, "--text", "mine").Output,
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"modle": "x"}""", "field 'modle' is no option of nvaccine generate; did you mean model?")]
    [InlineData("""{"config": "x"}""", "field 'config' is no option of nvaccine generate")]
    [InlineData("""{"max_new_tokens": "many"}""", "--max-new-tokens: 'many' cannot be used; expected a whole number, at least 1")]
    [InlineData("""{"max_new_tokens": {"a": 1}}""",
        "field 'max_new_tokens' is Object; expected text, a number, true, false, or a list of texts")]
    [InlineData("{\n\"model\": \n", ":3: broken JSON")]
    [InlineData("[]", "expected a JSON object")]
    public void AFileThatCannotBeUsedIsRefusedInOneLine(string json, string expected)
    {
        using var folder = new TemporaryFolder();
        CommandResult result = CommandLine.Run("generate", "--prompt", "x", "--model", "y", "--config", Write(folder, json));
        Assert.Equal(2, result.ExitCode);
        Assert.Contains(expected, result.ErrorLine, StringComparison.Ordinal);
    }

    [Fact]
    public void NumbersListsAndSwitchesBecomeOptions()
    {
        using var folder = new TemporaryFolder();
        string file = Write(folder, """{"dtype": "int8", "adapter": ["a", "b"], "out": "o", "model": "m"}""");
        Assert.Contains("--dtype: 'int8'", CommandLine.Run("merge", "--config", file).ErrorLine, StringComparison.Ordinal);
    }

    [Fact]
    public void AMissingFileIsNamed()
    {
        CommandResult result = CommandLine.Run("generate", "--config", "no-such.json");
        Assert.Equal(2, result.ExitCode);
        Assert.Equal("error: no-such.json: no such file", result.ErrorLine);
    }

    private static string Write(TemporaryFolder folder, string json)
    {
        string path = folder.File("options.json");
        File.WriteAllText(path, json);
        return path;
    }
}
