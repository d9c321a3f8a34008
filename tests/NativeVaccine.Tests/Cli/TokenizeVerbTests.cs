using NativeVaccine.Tests.Models;

namespace NativeVaccine.Tests.Cli;

/// <summary>tokenize: what it needs, and what it says.</summary>
public sealed class TokenizeVerbTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void TextOfSpecialTokensIsCounted()
    {
        string texts = folder.File("texts.json");
        File.WriteAllText(texts, "[\"a </s> b\", \"a\", \" \"]");
        CommandResult tokens = CommandLine.Succeed("tokenize", "--model", Fixtures.Path("tiny-llama"), "--file", texts);
        Assert.Contains("1 of 3 texts hold the text of a special token", tokens.Error, StringComparison.Ordinal);
        Assert.Empty(CommandLine.Succeed("tokenize", "--model", Fixtures.Path("tiny-llama"), "--text", "a").Error);
    }

    [Fact]
    public void ARecordIsTokenizedWithItsInput()
    {
        string records = folder.File("records.jsonl");
        File.WriteAllText(records, """{"instruction": "Name a bird.", "input": "It fishes.", "output": "A heron.", "system": "x"}""");
        CommandResult both = CommandLine.Succeed("tokenize", "--model", Fixtures.Path("tiny-llama"), "--file", records);
        CommandResult text = CommandLine.Succeed("tokenize", "--model", Fixtures.Path("tiny-llama"), "--text", "Name a bird.\nIt fishes.");
        Assert.Equal(text.Output, both.Output);
        Assert.Equal(
            [$"{records}: 1 record has a system or history, which are not used", $"{records}: records with an output, which is not shown: 1"],
            both.Error.TrimEnd().Split('\n'));
    }

    [Fact]
    public void TokenizeNeedsOnlyTheTokenizer()
    {
        string model = folder.File("tokenizer");
        Directory.CreateDirectory(model);
        File.Copy(Fixtures.Path("tokenizers-json", "llama-prepend", "tokenizer.json"), Path.Combine(model, "tokenizer.json"));
        Assert.Contains(
            "ids      1 338 707 382 265 726", CommandLine.Succeed("tokenize", "--model", model, "--text", "A heron.").Output, StringComparison.Ordinal);
        File.WriteAllText(Path.Combine(model, "config.json"), "{\"model_type\": \"unheard-of\", \"eos_token_id\": 2}");
        CommandLine.Succeed("tokenize", "--model", model, "--text", "A heron.");
        CommandResult nothing = CommandLine.Run("tokenize", "--model", folder.Root, "--text", "x");
        Assert.Equal(2, nothing.ExitCode);
        Assert.Contains("no tokenizer: expected tokenizer.model", nothing.ErrorLine, StringComparison.Ordinal);
    }

    [Fact]
    public void TokenizeClosesATextWhereTheFolderDoes()
    {
        string model = folder.File("closing");
        Directory.CreateDirectory(model);
        File.Copy(Fixtures.Path("tiny-llama", "tokenizer.model"), Path.Combine(model, "tokenizer.model"));
        File.WriteAllText(Path.Combine(model, "tokenizer_config.json"), """{"add_eos_token": true}""");
        Assert.Contains("ids      1 260 2\n", CommandLine.Succeed("tokenize", "--model", model, "--text", "a").Output.ReplaceLineEndings("\n"), StringComparison.Ordinal);
    }
}
