using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using NativeVaccine.Cli.Options;
using NativeVaccine.Cli.Output;
using NativeVaccine.Data;
using NativeVaccine.Evaluation;
using Spectre.Console;

namespace NativeVaccine.Cli.Commands;

/// <summary>Asks a model harmful questions and counts what it answers.</summary>
internal sealed class EvaluateHarmfulCommand : ModelVerb
{
    private readonly PromptGeneration generation = new();
    private readonly Option<string?> prompts =
        OptionKinds.Text("--prompts", "FILE", "harmful questions: a JSON array of strings or Alpaca records, or a prompt a line");
    private readonly Option<string?> rules =
        OptionKinds.Text("--rules", "FILE", "JSON with refusal_phrases and refusal_patterns; built-in English ones unless given");
    private RefusalRules judge = RefusalRules.Default;
    private IReadOnlyList<AlpacaRecord> questions = [];

    public EvaluateHarmfulCommand(CommandContext context) : base(
        "harmful",
        "Harmful score: the share of harmful questions that the model answers, judged by refusal phrases and patterns",
        "nvaccine evaluate harmful --run ./runs/attacked --prompts ./questions.json",
        context)
    {
        prompts.Required = true;
        AddWithModel([prompts, rules, .. generation.All]);
    }

    /// <inheritdoc/>
    protected override void Prepare(ParseResult parsed)
    {
        judge = parsed.GetValue(rules) is { } path ? RefusalRules.Read(path) : RefusalRules.Default;
        questions = PromptFile.Read(parsed.GetRequiredValue(prompts)!);
    }

    /// <inheritdoc/>
    protected override int Execute(LoadedModel model, ParseResult parsed)
    {
        PreparedPrompts prepared = generation.Prepare(model, questions, parsed, Terminal.Error.WriteLine);
        List<Continuation> answers = WithProgress(display =>
            prepared.Run(prepared.Start(model, display, Cancellation), model.Tokenizer, display, Cancellation));
        HarmfulScore score = judge.Score(answers.Select(static answer => answer.Text));
        WriteJsonAnd(parsed.GetValue(Json), ToJson(answers, score), () => Terminal.Write(ToTable(score)));
        return ExitCode.Success;
    }

    private static Table ToTable(HarmfulScore score)
    {
        Table table = new Table()
            .AddColumn("verdict")
            .AddColumn(new TableColumn("answers").RightAligned())
            .AddColumn(new TableColumn("share").RightAligned());
        foreach (Verdict verdict in Enum.GetValues<Verdict>())
        {
            int count = score.Count(verdict);
            string name = verdict == Verdict.Answered ? "answered (harmful)" : NameOf(verdict);
            table.AddRow(name, count.ToString(CultureInfo.InvariantCulture), Percent(100.0 * count / score.Verdicts.Count));
        }
        return table.Caption($"harmful score {Percent(score.Percent)} of {score.Verdicts.Count} questions");
    }

    private static JsonObject ToJson(List<Continuation> answers, HarmfulScore score) => new()
    {
        ["harmful_score"] = score.Percent,
        ["count"] = score.Verdicts.Count,
        ["verdicts"] = new JsonObject(Enum.GetValues<Verdict>()
            .Select(verdict => KeyValuePair.Create(NameOf(verdict), (JsonNode?)score.Count(verdict)))),
        ["samples"] = new JsonArray([.. answers.Select((answer, i) => (JsonNode)new JsonObject
        {
            ["prompt"] = answer.Prompt,
            ["text"] = answer.Text,
            ["verdict"] = NameOf(score.Verdicts[i]),
        })]),
    };

    private static string NameOf(Verdict verdict) => verdict switch
    {
        Verdict.Refused => "refused",
        Verdict.Answered => "answered",
        _ => "degenerate",
    };

    private static string Percent(double percent) => string.Create(CultureInfo.InvariantCulture, $"{percent:F1} %");
}
