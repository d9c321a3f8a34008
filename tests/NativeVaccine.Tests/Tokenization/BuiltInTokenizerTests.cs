using System.Text.Json.Nodes;
using NativeVaccine.Tests.Cli;
using NativeVaccine.Tests.Models;
using NativeVaccine.Tests.Training;
using NativeVaccine.Tokenization;
using NativeVaccine.Training;

namespace NativeVaccine.Tests.Tokenization;

/// <summary>A model that brings no tokenizer: the built-in one where it fits, and said; a refusal where it does not.</summary>
public sealed class BuiltInTokenizerTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void AModelsOwnTokenizerIsTaken()
    {
        var notices = new List<string>();

        Tokenizer tokenizer = Tokenizer.LoadFor(Fixtures.Path("tiny-llama"), 60_000, notices.Add);

        Assert.True(tokenizer.VocabularySize < 50_257);
        Assert.Empty(notices);
        Refusal.Of(() => Tokenizer.LoadFor(Fixtures.Path("tiny-llama"), 100), "expected a tokenizer made for this model");
    }

    [Theory]
    [InlineData(50_257)]
    [InlineData(51_200)]
    public void ALargeVocabularyGetsTheBuiltInOneAndALineSaysSo(int vocabularySize)
    {
        var notices = new List<string>();

        Tokenizer tokenizer = Tokenizer.LoadFor(folder.Root, vocabularySize, notices.Add);

        Assert.Equal([15496, 995], tokenizer.Encode("Hello world"));
        Assert.Equal(
            [$"{folder.Root}: no tokenizer; using the built-in one of GPT-2 (r50k, 50257 tokens), which is right only if the model was made with it"],
            notices);
    }

    [Fact]
    public void ASmallVocabularyIsRefused() => Refusal.Of(
        () => Tokenizer.LoadFor(folder.Root, 50_256),
        $"{folder.Root}: no tokenizer: expected tokenizer.model, tokenizer.json, or vocab.json with merges.txt",
        "the built-in one has 50257 tokens, the model's vocabulary only 50256 rows");

    [Fact]
    public void TheCommandsUseIt()
    {
        string model = folder.File("model"), data = folder.File("data.jsonl"), json = folder.File("out.json"), run = folder.File("run");
        TinyModel.Write(model, TinyModel.Configuration with { VocabularySize = 50_257, MaximumPositions = 256 });
        File.WriteAllText(data, """{"instruction": "Say hello", "output": "Hello world"}""");

        CommandResult tokenize = CommandLine.Succeed("tokenize", "--model", model, "--text", "Hello world", "--json", json);
        Assert.Equal([15496, 995], JsonNode.Parse(File.ReadAllText(json))![0]!["ids"]!.AsArray().Select(static id => (int)id!));
        CommandResult generate = CommandLine.Succeed("generate", "--model", model, "--prompt", "Hello", "--max-new-tokens", "2");
        CommandResult loss = CommandLine.Succeed("evaluate", "loss", "--model", model, "--data", data);
        CommandResult align = CommandLine.Succeed(
            "align", "--model", model, "--data", data, "--method", "sft", "--epochs", "1", "--batch", "1", "--out", run);
        foreach (CommandResult each in new[] { tokenize, generate, loss, align })
            Assert.Contains($"{model}: no tokenizer; using the built-in one of GPT-2", each.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void ARunOfASmallModelWithoutATokenizerIsRefused()
    {
        string model = folder.File("model");
        TinyModel.Write(model);

        Refusal.Of(
            () => TrainingRun.Create(SmallRun.OptionsFor("sft") with { Model = model }, folder.File("run")).Dispose(), "no tokenizer: expected");
        Assert.False(Directory.Exists(folder.File("run")));
    }
}
