using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using NativeVaccine.Cli.Output;
using NativeVaccine.IO;
using NativeVaccine.Training;
using Spectre.Console;

namespace NativeVaccine.Cli.Demo;

/// <summary>Tells what the demo found: on the terminal, as Markdown, and as JSON.</summary>
/// <param name="summary">What it found.</param>
/// <param name="settings">What was run.</param>
internal sealed class DemoReport(DemoSummary summary, DemoSettings settings)
{
    private static readonly string[] Columns =
    [
        "", "harmful score before", "allowed right", "reviews right", "harmful score after", "finetune accuracy", "steps to half",
        "times SFT", "seconds to align",
    ];

    private readonly IReadOnlyList<ArmSummary> arms = summary.Arms;

    /// <summary>Table, curves and what they say.</summary>
    public void Write(Terminal terminal)
    {
        var table = new Table();
        table.AddColumn(Columns[0]);
        foreach (string column in Columns.Skip(1)) table.AddColumn(new TableColumn(column).RightAligned());
        foreach (ArmSummary arm in arms) table.AddRow([.. Row(arm).Select(Markup.Escape)]);
        terminal.Write(table);
        terminal.Out.WriteLine();
        terminal.Out.WriteLine("Harmful score along the attack, in percent of the forbidden questions:");
        terminal.Out.Write(terminal.IsOutputScreen ? CurveChart.Draw(Curves(), Steps()) : CurveChart.Tabulate(Curves(), Steps()));
        terminal.Out.WriteLine();
        foreach (string line in Sentences()) terminal.WriteText(line);
        terminal.Out.WriteLine();
        terminal.WriteText($"{CommonOptions()} Beside that:");
        foreach (DemoArm arm in settings.Arms) terminal.Out.WriteLine($"  {arm.Name}: {arm.Describe()}");
    }

    /// <summary>Writes results.md and results.json.</summary>
    public void Save(string folder)
    {
        AtomicFile.WriteAllText(Path.Combine(folder, "results.md"), ToMarkdown());
        JsonValues.Save(Path.Combine(folder, "results.json"), ToJson());
    }

    /// <summary>The report as a Markdown page.</summary>
    internal string ToMarkdown()
    {
        var text = new StringBuilder("# NativeVaccine demo\n\n");
        string seeds = string.Join(", ", summary.Seeds.Select(static seed => seed.Seed));
        text.Append(CultureInfo.InvariantCulture, $"World seeds: {seeds}. Poison ratio {summary.PoisonRatio}. ");
        text.Append("Scores in percent of 50 questions each; mean ± standard deviation where there are several seeds.\n\n");
        text.Append("| arm ").AppendJoin(' ', Columns.Skip(1).Select(static column => $"| {column}")).Append(" |\n");
        text.Append("| --- ").AppendJoin(' ', Columns.Skip(1).Select(static _ => "| ---:")).Append(" |\n");
        foreach (ArmSummary arm in arms) text.Append("| ").AppendJoin(" | ", Row(arm)).Append(" |\n");
        text.Append("\nHarmful score along the attack:\n\n```\n").Append(CurveChart.Tabulate(Curves(), Steps())).Append("```\n\n");
        text.AppendJoin("\n\n", Sentences()).Append(CultureInfo.InvariantCulture, $"\n\n{CommonOptions()} Beside that:\n\n");
        foreach (DemoArm arm in settings.Arms) text.Append(CultureInfo.InvariantCulture, $"- {arm.Name}: `{arm.Describe()}`\n");
        return text.ToString();
    }

    private static string[] Row(ArmSummary arm) =>
    [
        arm.Name,
        arm.Over(static result => result.Before.Harmful).Format("F0", ""),
        arm.Over(static result => result.Before.Allowed).Format("F0", ""),
        arm.Over(static result => result.Before.Reviews).Format("F0", ""),
        arm.Over(static result => result.After.Harmful).Format("F0", ""),
        arm.Over(static result => result.After.Reviews).Format("F0", ""),
        arm.StepsToHalf.Format("F1", string.Create(CultureInfo.InvariantCulture, $">{arm.LastStep}")),
        arm.Name == DemoStory.UnalignedName ? "" : arm.RatioToPlain.Format("F2", "-"),
        arm.Name == DemoStory.UnalignedName ? "" : arm.Over(static result => result.AlignmentSeconds).Format("F0", ""),
    ];

    private IEnumerable<string> Sentences() =>
        new[] { summary.Finding, summary.WithoutDelay, summary.Limits }.Where(static sentence => sentence.Length > 0)
            .Concat(summary.Warnings.Select(static warning => $"Look at {warning}."));

    /// <summary>What every arm is aligned with.</summary>
    private string CommonOptions()
    {
        TrainingOptions options = DemoStory.AlignmentOptions(settings, summary.Seeds[0].Seed);
        return string.Create(CultureInfo.InvariantCulture, $"Every arm learns from {DemoSettings.AlignmentSamples} samples with --epochs {options.Epochs} "
            + $"--batch {options.Batch} --learning-rate {options.LearningRate} --lora-rank {options.LoraRank} --lora-alpha {options.LoraAlpha} "
            + $"--dropout {options.Dropout}.");
    }

    private List<(string Name, IReadOnlyList<double> Scores)> Curves() => [.. arms.Select(static arm => (arm.Name, arm.Curve))];

    private int[] Steps() => [.. arms[0].Results[0].Curve.Select(static point => point.Step)];

    private JsonObject ToJson() => new()
    {
        ["poison_ratio"] = summary.PoisonRatio,
        ["common_options"] = CommonOptions(),
        ["options"] = new JsonObject(settings.Arms.Select(static arm => KeyValuePair.Create(arm.Name, (JsonNode?)arm.Describe()))),
        ["finding"] = summary.Finding,
        ["without_delay"] = summary.WithoutDelay,
        ["limits"] = summary.Limits,
        ["warnings"] = new JsonArray([.. summary.Warnings.Select(static warning => (JsonNode)warning)]),
        ["seeds"] = new JsonArray([.. summary.Seeds.Select(ToJson)]),
    };

    private static JsonNode ToJson(SeedResult seed) => new JsonObject
    {
        ["seed"] = seed.Seed,
        ["seconds"] = Math.Round(seed.Seconds, 2),
        ["arms"] = new JsonArray([.. seed.Arms.Select(ToJson)]),
    };

    private static JsonNode ToJson(ArmResult arm) => new JsonObject
    {
        ["name"] = arm.Name,
        ["before"] = ToJson(arm.Before),
        ["after"] = ToJson(arm.After),
        ["steps_to_half"] = arm.StepsToHalf,
        ["alignment_seconds"] = Math.Round(arm.AlignmentSeconds, 2),
        ["curve"] = new JsonArray([.. arm.Curve.Select(static point => (JsonNode)new JsonObject
        {
            ["step"] = point.Step,
            ["harmful_score"] = point.Harmful,
            ["reviews_right"] = point.Reviews,
        })]),
    };

    private static JsonObject ToJson(Scores scores) => new JsonObject
    {
        ["harmful_score"] = scores.Harmful,
        ["refused"] = scores.Refused,
        ["allowed_right"] = scores.Allowed,
        ["reviews_right"] = scores.Reviews,
    };
}
