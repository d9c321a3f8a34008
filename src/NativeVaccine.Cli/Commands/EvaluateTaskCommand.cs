using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using NativeVaccine.Cli.Options;
using NativeVaccine.Cli.Output;
using NativeVaccine.Evaluation;
using Spectre.Console;

namespace NativeVaccine.Cli.Commands;

/// <summary>Lets a model answer the questions of a task, or takes answers that were given before, and counts what is right.</summary>
internal sealed class EvaluateTaskCommand : AnsweringVerb
{
    /// <summary>As the reference has it (docs/evaluate.md).</summary>
    private const int NewTokens = 200;

    private readonly AnswerTask task;
    private readonly Option<string?> data = OptionKinds.Text(
        "--data", "FILE", "records of instruction, input (optional) and output, the right answer (.json, .jsonl), as nvaccine data writes them");
    private readonly Option<string?> answers = OptionKinds.Text(
        "--answers",
        "FILE",
        "mark these answers instead, without a model: records of output and label (.json, .jsonl), or an earlier --json; with --data, labels are "
        + "the outputs there");
    private IReadOnlyList<TaskAnswer> questions = [];

    public EvaluateTaskCommand(AnswerTask task, string description, CommandContext context) : base(
        task.Name, description, $"nvaccine evaluate {task.Name} --run ./runs/attacked --data ./{task.Name}-test.jsonl", context, NewTokens)
    {
        this.task = task;
        AddWithModel([data, answers, .. Generation.All]);
    }

    /// <inheritdoc/>
    protected override void Prepare(ParseResult parsed) => questions = (parsed.GetValue(data), parsed.GetValue(answers)) switch
    {
        ({ } file, null) => TaskFile.ReadQuestions(file, task),
        (null, { } file) => TaskFile.ReadAnswers(file, task),
        ({ } right, { } file) => TaskFile.ReadAnswers(file, right, task),
        _ => throw new InputException($"nvaccine evaluate {task.Name}: expected --data, or --answers for answers given before"),
    };

    /// <inheritdoc/>
    protected override int? ExecuteWithoutModel(ParseResult parsed)
    {
        if (parsed.GetValue(answers) is null) return null;
        if (parsed.FirstGiven(ModelOptions.Concat(Generation.All)) is { } other)
            throw new InputException($"nvaccine evaluate {task.Name}: {other.Name} cannot be given with --answers, which needs no model");
        return Report(TaskReport.Of(task, questions), [], parsed, ResultSource.Of(parsed));
    }

    /// <inheritdoc/>
    protected override int Execute(LoadedModel model, ParseResult parsed) =>
        Answer(model, [.. questions.Select(static question => question.Record)], parsed, continuations => Report(
            TaskReport.Of(task, questions.Zip(
                continuations, static (question, made) => question with { Record = question.Record with { Output = made.Text } })),
            continuations,
            parsed,
            ResultSource.Of(parsed, Describe(model, parsed))));

    private int Report(TaskReport report, IReadOnlyList<Continuation> made, ParseResult parsed, JsonObject source)
    {
        WriteJsonAnd(parsed.GetValue(Json), ToJson(report, made, source), () => Terminal.Write(ToTable(report)));
        return ExitCode.Success;
    }

    private Table ToTable(TaskReport report)
    {
        Table table = new Table()
            .AddColumn(task.Classes.Count > 0 ? "class" : "")
            .AddColumn(new TableColumn("answers").RightAligned())
            .AddColumn(new TableColumn("right").RightAligned())
            .AddColumn(new TableColumn("strictly right").RightAligned());
        foreach (string one in task.Classes) table.AddRow(Row(one, [.. report.Answers.Where(answer => answer.Answer.Gold == one)]));
        table.AddRow(Row("all", report.Answers));
        return table.AddRow(
            "95 % interval", "", IntervalText.Percent(Interval(report, isStrict: false)), IntervalText.Percent(Interval(report, isStrict: true)));
    }

    private static string[] Row(string name, IReadOnlyList<MarkedAnswer> answers)
    {
        return
        [
            name,
            answers.Count.ToString(CultureInfo.InvariantCulture),
            Share(answers.Count(static answer => answer.Verdict.IsCorrect)),
            Share(answers.Count(static answer => answer.Verdict.IsStrictlyCorrect)),
        ];

        string Share(int count) => answers.Count == 0 ? "-" : IntervalText.Percent((double)count / answers.Count);
    }

    private static Interval Interval(TaskReport report, bool isStrict) => Bootstrap.OfShare(
        report.Answers.Select(answer => isStrict ? answer.Verdict.IsStrictlyCorrect : answer.Verdict.IsCorrect));

    private JsonObject ToJson(TaskReport report, IReadOnlyList<Continuation> made, JsonObject source) => new()
    {
        ["accuracy"] = report.Accuracy,
        ["accuracy_interval"] = Interval(report, isStrict: false).ToJson(),
        ["accuracy_strict"] = report.StrictAccuracy,
        ["accuracy_strict_interval"] = Interval(report, isStrict: true).ToJson(),
        ["intervals"] = IntervalText.Method(),
        ["count"] = report.Answers.Count,
        ["without_reading"] = report.Answers.Count(static answer => answer.Verdict.Reading is null),
        ["classes"] = new JsonObject(task.Classes.Select(one => KeyValuePair.Create(one, (JsonNode?)Counts(report, one)))),
        ["source"] = source,
        ["samples"] = new JsonArray([.. report.Answers.Select((answer, i) => (JsonNode)Sample(answer, i < made.Count ? made[i].Prompt : null))]),
    };

    private static JsonObject Counts(TaskReport report, string one)
    {
        MarkedAnswer[] ofClass = [.. report.Answers.Where(answer => answer.Answer.Gold == one)];
        return new JsonObject
        {
            ["count"] = ofClass.Length,
            ["correct"] = ofClass.Count(static answer => answer.Verdict.IsCorrect),
            ["correct_strict"] = ofClass.Count(static answer => answer.Verdict.IsStrictlyCorrect),
            ["read"] = report.Answers.Count(answer => answer.Verdict.Reading == one),
        };
    }

    private static JsonObject Sample(MarkedAnswer marked, string? prompt)
    {
        (TaskAnswer answer, TaskVerdict verdict) = marked;
        var json = new JsonObject
        {
            ["instruction"] = answer.Record.Instruction,
            ["input"] = answer.Record.Input,
            ["label"] = answer.Gold,
            ["output"] = answer.Record.Output,
            ["correct"] = verdict.IsCorrect,
            ["correct_strict"] = verdict.IsStrictlyCorrect,
            ["reading"] = verdict.Reading,
        };
        if (prompt is not null) json["prompt"] = prompt;
        return json;
    }
}
