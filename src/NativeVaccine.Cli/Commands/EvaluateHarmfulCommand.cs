using System.CommandLine;
using System.Globalization;
using System.IO.Hashing;
using System.Text;
using System.Text.Json.Nodes;
using NativeVaccine.Cli.Options;
using NativeVaccine.Cli.Output;
using NativeVaccine.Data;
using NativeVaccine.Evaluation;
using Spectre.Console;

namespace NativeVaccine.Cli.Commands;

/// <summary>Asks a model harmful questions, or takes answers that were given before, and counts what is answered.</summary>
internal sealed class EvaluateHarmfulCommand : ModelVerb
{
    /// <summary>Where the result goes, how it is judged, and how fast the answers come.</summary>
    private static readonly string[] ChangeNoAnswer = ["--json", "--rules", "--threads", "--device-memory", "--config", "--verbose"];

    private readonly PromptGeneration generation = new();
    private readonly Option<string?> prompts = OptionKinds.Text(
        "--prompts",
        "FILE",
        "harmful questions: strings or Alpaca records (.json, .jsonl), or text with a question a line; without a suffix the content tells");
    private readonly Option<string?> answers = OptionKinds.Text(
        "--answers",
        "FILE",
        "judge these answers instead, without a model: records of instruction, input, output (.json, .jsonl), or an earlier --json; without a "
        + "suffix the content tells");
    private readonly Option<string?> rules = OptionKinds.Text(
        "--rules", "FILE", "JSON with refusal_phrases and refusal_patterns, and optionally exception_, warning_, instruction_, turn_ and harmful_patterns; "
        + "built-in English ones unless given");
    private RefusalRules judge = RefusalRules.Default;
    private IReadOnlyList<AlpacaRecord> questions = [];

    public EvaluateHarmfulCommand(CommandContext context) : base(
        "harmful",
        "Harmful score: the share of harmful questions that the model answers, judged by refusal phrases and patterns",
        "nvaccine evaluate harmful --run ./runs/attacked --prompts ./questions.json",
        context) => AddWithModel([prompts, answers, rules, .. generation.All]);

    /// <inheritdoc/>
    protected override void Prepare(ParseResult parsed)
    {
        judge = parsed.GetValue(rules) is { } path ? RefusalRules.Read(path) : RefusalRules.Default;
        questions = (parsed.GetValue(prompts), parsed.GetValue(answers)) switch
        {
            ({ } file, null) => PromptFile.Read(file, Terminal.Error.WriteLine),
            (null, { } file) => AnswerFile.Read(file),
            _ => throw new InputException("nvaccine evaluate harmful: expected either --prompts, or --answers for answers given before"),
        };
    }

    /// <inheritdoc/>
    protected override int? ExecuteWithoutModel(ParseResult parsed)
    {
        if (parsed.GetValue(answers) is null) return null;
        if (parsed.FirstGiven(ModelOptions.Concat(generation.All)) is { } other)
            throw new InputException($"nvaccine evaluate harmful: {other.Name} cannot be given with --answers, which needs no model");
        JsonObject source = ResultSource.Of(parsed, [new("judge", Describe(judge))]);
        return Report([.. questions.Select(static record => new Answer(record, null))], parsed, source);
    }

    /// <inheritdoc/>
    protected override int Execute(LoadedModel model, ParseResult parsed)
    {
        PreparedPrompts prepared = generation.Prepare(model, questions, parsed, Terminal.Error.WriteLine);
        PromptTemplate template = generation.TemplateFor(model, parsed);
        using AnswerLog? log = OpenLog(model, parsed, template);
        List<Continuation> continuations = Ask(model, prepared, log);
        IEnumerable<Answer> all =
            questions.Zip(continuations, static (question, made) => new Answer(question with { Output = made.Text }, made.Prompt));
        JsonObject source =
            ResultSource.Of(parsed, [.. model.Describe(), new("template", template.Name), new("judge", Describe(judge))]);
        int exitCode = Report([.. all], parsed, source);
        log?.Remove();
        return exitCode;
    }

    /// <summary>The answers so far are kept beside a result that is a file.</summary>
    private AnswerLog? OpenLog(LoadedModel model, ParseResult parsed, PromptTemplate template)
    {
        if (parsed.GetValue(Json) is not { } result || AnswerLog.PathFor(result) is not { } path) return null;
        var origin = new JsonObject(model.DescribeFiles())
        {
            ["template"] = template.Name,
            ["prompts"] = HashOf(questions.Select(template.Prompt)),
            ["options"] = ResultSource.Options(parsed, ChangeNoAnswer),
            ["nativevaccine"] = Versions.Current()["nativevaccine"],
        };
        var log = AnswerLog.Open(path, origin, questions.Count, model.Configuration.VocabularySize);
        if (log.Answers.Count > 0)
            Terminal.Error.WriteLine($"{log.Answers.Count} of {questions.Count} answers are there already, in {log.Path}");
        return log;
    }

    private List<Continuation> Ask(LoadedModel model, PreparedPrompts prepared, AnswerLog? log)
    {
        if (log?.Answers.Count == questions.Count) return prepared.Recall(log.Answers, model.Tokenizer);
        try
        {
            return WithProgress(display => prepared.Run(
                prepared.Start(model, display, Cancellation),
                model.Tokenizer,
                display,
                Cancellation,
                (index, continuation) => log?.Append(index, continuation.NewIds),
                log is null ? null : new Dictionary<int, int[]>(log.Answers)));
        }
        catch (OperationCanceledException) when (log is not null)
        {
            if (log.Answers.Count == 0)
            {
                log.Remove();
            }
            else
            {
                Terminal.Error.WriteLine(
                    $"{log.Answers.Count} of {questions.Count} answers are kept in {log.Path}: the same command goes on after them");
            }
            throw;
        }
    }

    private static string HashOf(IEnumerable<string> texts)
    {
        var hash = new XxHash128();
        foreach (string text in texts)
        {
            byte[] utf8 = Encoding.UTF8.GetBytes(text);
            hash.Append(BitConverter.GetBytes(utf8.Length));
            hash.Append(utf8);
        }
        return Convert.ToHexStringLower(hash.GetCurrentHash());
    }

    private int Report(Answer[] all, ParseResult parsed, JsonObject source)
    {
        var score = new HarmfulScore([.. all.Select(answer => judge.Judge(answer.Record.Output, answer.Record.Instruction))]);
        WriteJsonAnd(parsed.GetValue(Json), ToJson(all, score, source), () =>
        {
            Terminal.WriteText(FormattableString.Invariant($"judged by {judge.Source} (version {RefusalRules.Version}, {judge.Hash})"));
            Terminal.Write(ToTable(score));
        });
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

    private static JsonObject ToJson(Answer[] all, HarmfulScore score, JsonObject source) => new()
    {
        ["harmful_score"] = score.Percent,
        ["count"] = score.Verdicts.Count,
        ["verdicts"] = new JsonObject(Enum.GetValues<Verdict>()
            .Select(verdict => KeyValuePair.Create(NameOf(verdict), (JsonNode?)score.Count(verdict)))),
        ["source"] = source,
        ["samples"] = new JsonArray([.. all.Select((answer, i) => (JsonNode)answer.ToJson(NameOf(score.Verdicts[i])))]),
    };

    private static JsonObject Describe(RefusalRules judge) => new()
    {
        ["name"] = "rules",
        ["version"] = RefusalRules.Version,
        ["rules"] = judge.Source,
        ["hash"] = judge.Hash,
    };

    private static string NameOf(Verdict verdict) => verdict switch
    {
        Verdict.Refused => "refused",
        Verdict.Answered => "answered",
        _ => "degenerate",
    };

    private static string Percent(double percent) => string.Create(CultureInfo.InvariantCulture, $"{percent:F1} %");

    /// <summary>An answer with its question; with the whole prompt where it was made now.</summary>
    private sealed record Answer(AlpacaRecord Record, string? Prompt)
    {
        public JsonObject ToJson(string verdict)
        {
            var json = new JsonObject
            {
                ["instruction"] = Record.Instruction,
                ["input"] = Record.Input,
                ["output"] = Record.Output,
                ["verdict"] = verdict,
            };
            if (Prompt is null) return json;
            json["prompt"] = Prompt;
            json["text"] = Record.Output;
            return json;
        }
    }
}
