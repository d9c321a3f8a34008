using System.Text.Json.Nodes;

namespace NativeVaccine.Tests.Cli.Experiments;

/// <summary>A plan that cannot be is refused in one line, before any work.</summary>
public sealed class ExperimentPlanTests : IDisposable
{
    private readonly SmallExperiment small = new();

    public void Dispose() => small.Dispose();

    [Theory]
    [InlineData("""{"arm": []}""", "field 'arm' is unknown: expected some of name, about, arms, ")]
    [InlineData("""{"arms": []}""", "no arms: expected a list of objects, each with name and method")]
    [InlineData("""{"arms": [{"name": "A", "method": "sft"}, {"name": "A", "method": "vaccine"}]}""", "two arms are called 'A'")]
    [InlineData("""{"arms": [{"name": "A", "method": "vacine"}]}""", "arm A: there is no method 'vacine': expected one of sft, ")]
    [InlineData("""{"arms": [{"name": "A", "rho": 2}]}""", "arm 'A' has options but no method")]
    [InlineData("""{"arms": [{"name": "A", "method": "sft", "continues": "B"}]}""", "arm 'A' continues 'B': expected an aligned arm that stands before it")]
    [InlineData("""{"baseline": "B"}""", "baseline 'B' is no arm")]
    [InlineData("""{"axes": {"order": [1, 2]}}""", "axis 'order' changes nothing: expected {order} in an option")]
    [InlineData("""{"axes": {"seed": []}}""", "axis 'seed' is no list: expected at least one value")]
    [InlineData("""{"axes": {"seed": [1, 1]}}""", "axis 'seed' has a value twice")]
    [InlineData("""{"attack": {"epochs": "{epochs}"}}""", "{epochs} stands for nothing: expected one of {seed}, {poison_ratio}, {method}, {mix}")]
    [InlineData("""{"attack": {"epoch": 2}}""", "attack: field 'epoch' is no option of nvaccine finetune; did you mean epochs?")]
    [InlineData("""{"harmful": {"prompts": "missing.json"}}""", "missing.json is not there")]
    [InlineData("""{"accuracy": {"data": "benign.json"}}""", "accuracy has no task: expected one of sst2, ag-news, gsm8k, match")]
    [InlineData("""{"attack": null}""", "no attack: expected an object with options of nvaccine finetune")]
    [InlineData("""{"harmful": null}""", "nothing is measured: expected harmful, accuracy or capability")]
    public void AWrongFieldIsNamed(string changes, string expected)
    {
        foreach ((string field, JsonNode? value) in JsonNode.Parse(changes)!.AsObject())
        {
            if (value is null) small.Plan.Remove(field);
            else small.Plan[field] = value.DeepClone();
        }
        CommandResult result = small.Run();
        Assert.Equal(2, result.ExitCode);
        Assert.StartsWith($"error: {small.FileAt("plan.json")}: ", result.ErrorLine, StringComparison.Ordinal);
        Assert.Contains(expected, result.ErrorLine, StringComparison.Ordinal);
    }

    [Fact]
    public void AnAxisOfObjectsFillsFields()
    {
        small.Plan["axes"] = JsonNode.Parse("""{"task": [{"name": "short", "file": "benign.json", "n": 2}, {"name": "long", "file": "refusals.json", "n": 4}]}""");
        small.Plan["mix"] = JsonNode.Parse("""{"benign": "{task.file}", "harmful": "harmful.json", "ratio": 0.5, "count": "{task.n}"}""");
        small.Plan["align"]!["seed"] = 1;
        small.Plan["attack"]!["seed"] = 1;
        CommandLine.Succeed("experiment", "jobs", small.PlanFile, "--out", small.Out, "--file", small.FileAt("jobs.txt"));
        JsonNode experiment = JsonNode.Parse(File.ReadAllText(Path.Combine(small.Out, "experiment.json")))!;
        JsonNode[] mixes = [.. experiment["jobs"]!.AsArray().Where(static job => (string)job!["stage"]! == "mix").Select(static job => job!)];
        Assert.Equal(2, mixes.Length);
        Assert.Contains("--count=4", mixes[1]["options"]!.AsArray().Select(static option => (string)option!));
        Assert.Contains($"--benign={small.FileAt("refusals.json")}", mixes[1]["options"]!.AsArray().Select(static option => (string)option!));
        Assert.Equal(["short", "long"], experiment["cells"]!.AsArray().Take(2).Select(static cell => (string)cell!["settings"]!["task"]!));
    }
}
