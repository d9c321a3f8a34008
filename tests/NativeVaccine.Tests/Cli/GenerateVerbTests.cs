using System.Text.Json.Nodes;
using NativeVaccine.Tests.Models;

namespace NativeVaccine.Tests.Cli;

/// <summary>generate: what is drawn, what is said on the way, and how answers are shown.</summary>
public sealed class GenerateVerbTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void OnePromptIsStreamedAndSeveralAreShownWithTheirPrompts()
    {
        string prompts = Write("[\"The quick brown fox\", \"Name a bird.\"]");
        JsonArray expected = Json("--prompts", prompts, "--max-new-tokens", "5");
        string first = (string)expected[0]!["text"]!;
        string one = Succeed("--prompt", "The quick brown fox", "--max-new-tokens", "5").Output.ReplaceLineEndings("\n");
        Assert.Equal($"{first}\n", one);
        string several = Succeed("--prompts", prompts, "--max-new-tokens", "5").Output.ReplaceLineEndings("\n");
        Assert.Equal($"> The quick brown fox\n{first}\n\n> Name a bird.\n{(string)expected[1]!["text"]!}\n\n", several);
    }

    [Fact]
    public void PositionsBeyondTheModelsAreSaid()
    {
        string prompts = Write(new JsonArray("a", string.Join(' ', Enumerable.Repeat("word", 400))).ToJsonString());
        CommandResult result = Succeed("--prompts", prompts, "--max-new-tokens", "3");
        Assert.Matches(@"prompt 1 with 3 new tokens takes \d+ positions; the model was made for 256\n", result.Error.ReplaceLineEndings("\n"));
        Assert.DoesNotContain("positions", Succeed("--prompt", "a", "--max-new-tokens", "3").Error, StringComparison.Ordinal);
        string two = Write("[\"a\", \"b\"]");
        Assert.Contains("(2 of 2 prompts go beyond that)", Succeed("--prompts", two, "--max-new-tokens", "300").Error, StringComparison.Ordinal);
    }

    /// <summary>What is drawn for a prompt follows the seed, and does not depend on the other prompts.</summary>
    [Fact]
    public void DrawsFollowTheSeedAndNotTheOtherPrompts()
    {
        string both = Write("[\"The quick brown fox\", \"Name a bird, and say where it lives.\"]");
        string[] options = ["--max-new-tokens", "12", "--temperature", "1.5"];
        int[][] first = Ids(Json(["--prompts", both, .. options, "--seed", "3"]));
        Assert.Equal(first, Ids(Json(["--prompts", both, .. options, "--seed", "3"])));
        Assert.NotEqual(first, Ids(Json(["--prompts", both, .. options, "--seed", "4"])));
        Assert.Equal(first[0], Ids(Json(["--prompt", "The quick brown fox", .. options, "--seed", "3"]))[0]);
        Assert.Equal(
            Ids(Json("--prompts", both, "--max-new-tokens", "12")), Ids(Json(["--prompts", both, .. options, "--top-k", "1"])));
    }

    [Theory]
    [InlineData("--top-k", "5")]
    [InlineData("--top-p", "0.5")]
    [InlineData("--seed", "5")]
    public void OptionsOfDrawsNeedATemperature(string option, string value)
    {
        CommandResult result = CommandLine.Run("generate", "--model", Fixtures.Path("tiny-llama"), "--prompt", "x", option, value);
        Assert.Equal(2, result.ExitCode);
        Assert.Contains($"{option} is for drawing tokens: expected a --temperature above 0 with it", result.ErrorLine, StringComparison.Ordinal);
    }

    [Fact]
    public void TextOfSpecialTokensIsCounted()
    {
        string prompts = Write("[\"a </s> b\", \"a\"]");
        Assert.Contains(
            "1 of 2 prompts hold the text of a special token", Succeed("--prompts", prompts, "--max-new-tokens", "2").Error, StringComparison.Ordinal);
    }

    /// <summary>generation_config.json's end tokens and no others end a continuation, and what it asks for and is not applied is said.</summary>
    [Fact]
    public void GenerationConfigurationIsObeyedOrNamed()
    {
        int[] plain = Ids(Json("--prompt", "The quick brown fox", "--max-new-tokens", "8"))[0];
        (int[] found, string said) = With($$"""{"eos_token_id": [{{plain[2]}}], "no_repeat_ngram_size": 2}""", "--max-new-tokens", "8");
        Assert.Equal(plain[..(Array.IndexOf(plain, plain[2]) + 1)], found);
        Assert.Contains("no_repeat_ngram_size 2 would change what is written, and is not applied here", said, StringComparison.Ordinal);
    }

    /// <summary>Ids of transformers 5.23 with do_sample=False: the file's penalty counts for greedy decoding too.</summary>
    [Fact]
    public void TheRepetitionPenaltyOfTheFileIsAppliedUnlessSwitchedOff()
    {
        const string Penalty = "{\"eos_token_id\": 2, \"repetition_penalty\": 1.5}";
        int[] plain = [714, 726, 13, 13, 262, 357, 13, 262, 357, 13, 262, 357];
        int[] penalized = [714, 726, 13, 262, 357, 707, 742, 748, 726, 337, 733, 338];
        (int[] found, string said) = With(Penalty, "--max-new-tokens", "12");
        Assert.Equal(penalized, found);
        Assert.Contains("repetition_penalty 1.5 is applied, as transformers does", said, StringComparison.Ordinal);
        (found, said) = With(Penalty, "--max-new-tokens", "12", "--repetition-penalty", "1");
        Assert.Equal(plain, found);
        Assert.DoesNotContain("repetition_penalty", said, StringComparison.Ordinal);
        (found, said) = With("{\"eos_token_id\": 2}", "--max-new-tokens", "12", "--repetition-penalty", "1.5");
        Assert.Equal(penalized, found);
        Assert.DoesNotContain("repetition_penalty", said, StringComparison.Ordinal);
    }

    /// <summary>What tiny-llama with this generation_config.json makes of "The quick brown fox", and what is said.</summary>
    private (int[] Ids, string Said) With(string generation, params string[] options)
    {
        string model = folder.File("model");
        Directory.CreateDirectory(model);
        foreach (string name in new[] { "config.json", "model.safetensors", "tokenizer.model", "tokenizer_config.json" })
            File.Copy(Fixtures.Path("tiny-llama", name), Path.Combine(model, name), overwrite: true);
        File.WriteAllText(Path.Combine(model, "generation_config.json"), generation);
        string json = folder.File("with.json");
        CommandResult result = CommandLine.Succeed(
            ["generate", "--model", model, "--template", "none", "--precision", "fp32", "--prompt", "The quick brown fox", .. options, "--json", json]);
        return (Ids(JsonNode.Parse(File.ReadAllText(json))!.AsArray())[0], result.Error);
    }

    private static int[][] Ids(JsonArray found) =>
        [.. found.Select(static item => item!["new_ids"]!.AsArray().Select(static id => (int)id!).ToArray())];

    private static CommandResult Succeed(params string[] options) => CommandLine.Succeed(
        ["generate", "--model", Fixtures.Path("tiny-llama"), "--template", "none", "--precision", "fp32", .. options]);

    private JsonArray Json(params string[] options)
    {
        string json = folder.File("out.json");
        Succeed([.. options, "--json", json]);
        return JsonNode.Parse(File.ReadAllText(json))!.AsArray();
    }

    private string Write(string json)
    {
        File.WriteAllText(folder.File("prompts.json"), json);
        return folder.File("prompts.json");
    }
}
