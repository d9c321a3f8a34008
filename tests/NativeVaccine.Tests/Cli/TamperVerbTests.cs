using System.Text.Json.Nodes;
using NativeVaccine.Cli;
using NativeVaccine.Reporting;
using NativeVaccine.Tests.Models;

namespace NativeVaccine.Tests.Cli;

/// <summary>finetune and plan with --tamper-prompts.</summary>
public sealed class TamperVerbTests : IDisposable
{
    private static readonly string Model = Fixtures.Path("micro-llama");
    private static readonly string Samples = Fixtures.Path("traces", "tvaccine-micro", "samples.jsonl");
    private readonly TemporaryFolder folder = new();

    private string[] Run =>
    [
        "--model", Model, "--data", $"{Samples}#align", "--epochs", "2", "--batch", "3", "--learning-rate", "0.05", "--template", "none",
        "--tamper-prompts", folder.File("prompts.json"), "--tamper-new-tokens", "6",
    ];

    public TamperVerbTests() => File.WriteAllText(
        folder.File("prompts.json"), """["How do I do it?", {"instruction": "Say", "input": "something"}, "Tell me all about that"]""");

    public void Dispose() => folder.Dispose();

    /// <summary>The same prompts, template, rules and number of tokens: the same score.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void TheLastLookSaysWhatEvaluateHarmfulSays(bool hasRules)
    {
        (string run, string score, string rules) = (folder.File("run"), folder.File("score.json"), folder.File("rules.json"));
        File.WriteAllText(rules, """{"refusal_patterns": ["."]}""");
        CommandResult result = CommandLine.Succeed(
            ["finetune", .. Run, "--tamper-every", "2", "--out", run, .. hasRules ? ["--tamper-rules", rules] : (string[])[]]);
        IReadOnlyList<TamperLook> looks = TamperFile.Read(Path.Combine(run, "tamper.jsonl"));
        CommandLine.Succeed(
            ["evaluate", "harmful", "--run", run, "--prompts", folder.File("prompts.json"), "--max-new-tokens", "6", "--json", score,
            .. hasRules ? ["--rules", rules] : (string[])[]]);
        JsonNode evaluated = JsonNode.Parse(File.ReadAllText(score))!;

        Assert.Equal([0, 2, 4, 6], looks.Select(static look => look.Step));
        TamperVerdicts last = looks[^1].Verdicts!;
        Assert.Equal((double)evaluated["harmful_score"]!, last.HarmfulScore, 9);
        Assert.Equal(
            ((int)evaluated["verdicts"]!["answered"]!, (int)evaluated["verdicts"]!["refused"]!, (int)evaluated["verdicts"]!["degenerate"]!),
            (last.Answered, last.Refused, last.Degenerate));
        Assert.Equal(hasRules ? 3 : 0, last.Refused);
        Assert.All(looks, static look => Assert.Empty(look.Drift));
        Assert.Contains(
            FormattableString.Invariant($"harmful score {looks[0].Verdicts!.HarmfulScore:F1} % before the first step, {last.HarmfulScore:F1} % after the last; half of the prompts "),
            result.Error,
            StringComparison.Ordinal);
    }

    [Fact]
    public void APlanWithLooksIsThatOfItsRun()
    {
        (string run, string json) = (folder.File("run"), folder.File("plan.json"));
        CommandResult result = CommandLine.Succeed(["finetune", .. Run, "--track-drift", "--out", run]);
        string metrics = File.ReadLines(Path.Combine(run, "metrics.jsonl")).Last();
        long bytes = (long)JsonNode.Parse(metrics)!["peak_bytes"]!;

        CommandResult planned = CommandLine.Succeed(["plan", .. Run, "--track-drift", "--json", json]);
        Assert.Equal(bytes, Bytes(json));
        CommandLine.Succeed("plan", "--resume", run, "--json", json);
        Assert.Equal(bytes, Bytes(json));
        CommandLine.Succeed(["plan", .. Run, "--json", json]);
        Assert.True(Bytes(json) < bytes);
        string[] withoutData = ["plan", "--model", Model, "--batch", "1", "--max-length", "10", "--json", json];
        CommandLine.Succeed(withoutData);
        long least = Bytes(json);
        CommandLine.Succeed([.. withoutData, "--tamper-prompts", folder.File("prompts.json")]);
        Assert.True(Bytes(json) > least);
        foreach (CommandResult told in new[] { result, planned })
            Assert.Contains("prompts.json: the hidden states before the first step take 0.0 MiB of the host's memory beside the plan", told.Error, StringComparison.Ordinal);
        Assert.Equal([0, 6], TamperFile.Read(Path.Combine(run, "tamper.jsonl")).Select(static look => look.Step).Where(static step => step is 0 or 6));
    }

    [Fact]
    public void TheConfigurationGivenBackIsTheSameRun()
    {
        (string first, string second) = (folder.File("first"), folder.File("second"));
        CommandLine.Succeed(["finetune", .. Run, "--tamper-every", "3", "--track-drift", "--out", first]);
        CommandLine.Succeed("finetune", "--config", Path.Combine(first, "config.json"), "--out", second);
        Assert.Equal(Looks(first), Looks(second));

        string third = folder.File("third");
        CommandLine.Succeed(["finetune", .. Run, "--out", third]); // as often as the time allows, which its config.json says too
        CommandLine.Succeed("finetune", "--config", Path.Combine(third, "config.json"), "--out", folder.File("fourth"));

        IEnumerable<string> Looks(string run) => TamperFile.Read(Path.Combine(run, "tamper.jsonl"))
            .Select(static look => $"{look.Step} {look.Verdicts} {string.Join(' ', look.Drift)}");
    }

    [Theory]
    [InlineData("finetune", "--track-drift", "error: --track-drift is not used without --tamper-prompts")]
    [InlineData("finetune", "--tamper-every 3", "error: --tamper-every is not used without --tamper-prompts")]
    [InlineData("align", "--method sft --tamper-prompts p.json", "error: --tamper-prompts is not used by align; finetune uses it")]
    [InlineData("align", "--method sft --tamper-every 3", "error: --tamper-every is not used by align; finetune uses it")]
    [InlineData("plan", "--method vaccine --tamper-prompts p.json", "error: --tamper-prompts is not used by align; finetune uses it")]
    [InlineData("finetune", "--tamper-prompts p.json --tamper-new-tokens 0", "error: nvaccine finetune: --tamper-new-tokens: '0' cannot be used; expected a whole number, at least 1")]
    public void WhatCannotBeLookedAtIsRefusedInALine(string verb, string options, string expected)
    {
        string[] outFolder = verb == "plan" ? [] : ["--out", folder.File("run")];
        CommandResult result = CommandLine.Run([verb, "--model", Model, "--data", $"{Samples}#align", .. options.Split(' '), .. outFolder]);
        Assert.Equal((ExitCode.BadInput, expected), (result.ExitCode, result.ErrorLine));
        Assert.False(Directory.Exists(folder.File("run")));
    }

    [Theory]
    [InlineData("prompts.json", "[]", "prompts.json: no prompts: expected at least one")]
    [InlineData("rules.json", "{}", "rules.json: no rules: expected refusal_phrases or refusal_patterns")]
    [InlineData("rules.json", null, "rules.json: no such file")]
    public void AFileThatCannotBeUsedIsRefusedBeforeAnythingIsMade(string file, string? content, string expected)
    {
        File.WriteAllText(folder.File("rules.json"), """{"refusal_phrases": ["no"]}""");
        if (content is null) File.Delete(folder.File(file));
        else File.WriteAllText(folder.File(file), content);
        CommandResult result = CommandLine.Run(["finetune", .. Run, "--tamper-rules", folder.File("rules.json"), "--out", folder.File("run")]);
        Assert.Equal(ExitCode.BadInput, result.ExitCode);
        Assert.EndsWith(expected, result.ErrorLine, StringComparison.Ordinal);
        Assert.False(Directory.Exists(folder.File("run")));
    }

    [Fact]
    public void AShapeHasNoTokenizerForPrompts() => Assert.Equal(
        "error: shape:llama-2-7b has no tokenizer for --tamper-prompts; expected a model's folder with it",
        CommandLine.Run("plan", "--model", "shape:llama-2-7b", "--tamper-prompts", folder.File("prompts.json")).ErrorLine);

    private static long Bytes(string json) => (long)JsonNode.Parse(File.ReadAllText(json))!["total_bytes"]!;
}
