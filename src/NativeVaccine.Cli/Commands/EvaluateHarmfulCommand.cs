using System.CommandLine;
using System.Text.Json.Nodes;
using NativeVaccine.Cli.Options;
using NativeVaccine.Cli.Output;
using NativeVaccine.Data;
using NativeVaccine.Evaluation;

namespace NativeVaccine.Cli.Commands;

/// <summary>Asks a model harmful questions, or takes answers that were given before, and counts what is answered.</summary>
internal sealed class EvaluateHarmfulCommand : AnsweringVerb
{
    /// <summary>As the reference has it (docs/evaluate.md).</summary>
    private const int NewTokens = 128;

    private readonly Option<string?> prompts = OptionKinds.Text(
        "--prompts",
        "FILE",
        "harmful questions: strings or Alpaca records (.json, .jsonl), or text with a question a line; without a suffix the content tells");
    private readonly Option<string?> answers = OptionKinds.Text(
        "--answers",
        "FILE",
        "judge these answers instead, without a model that answers: records of instruction, input, output (.json, .jsonl), or an earlier --json; "
        + "without a suffix the content tells");
    private readonly Option<string?> rules = OptionKinds.Text(
        "--rules", "FILE", "JSON with refusal_phrases and refusal_patterns, and optionally exception_, warning_, instruction_, turn_ and harmful_patterns; "
        + "built-in English ones unless given");
    private readonly JudgeOptionSet judgeOptions = new();
    private RefusalRules refusals = null!; // set by Prepare: made at the start, the built-in ones would slow every verb
    private List<SelectedJudge> judges = [];
    private IReadOnlyList<AlpacaRecord> questions = [];

    public EvaluateHarmfulCommand(CommandContext context) : base(
        "harmful",
        "Harmful score: the share of harmful questions that the model answers, judged by refusal phrases and patterns, or by models",
        "nvaccine evaluate harmful --run ./runs/attacked --prompts ./questions.json --judge ./beaver-dam-7b",
        context,
        NewTokens) => AddWithModel([prompts, answers, rules, .. judgeOptions.All, .. Generation.All]);

    /// <inheritdoc/>
    protected override IReadOnlyList<string> Measuring => [rules.Name, .. judgeOptions.All.Select(static option => option.Name)];

    /// <inheritdoc/>
    protected override void Prepare(ParseResult parsed)
    {
        refusals = parsed.GetValue(rules) is { } path ? RefusalRules.Read(path) : RefusalRules.Default;
        judges = judgeOptions.Read(parsed);
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
        // Where a judge is to run can be said all the same.
        IEnumerable<Option> useless = ModelOptions.Except(judges.Count > 0 ? Device.All : []).Concat(Generation.All);
        if (parsed.FirstGiven(useless) is { } other)
            throw new InputException($"nvaccine evaluate harmful: {other.Name} cannot be given with --answers, which needs no model that answers");
        return Report([.. questions.Select(static record => new GivenAnswer(record, null))], parsed, ResultSource.Of(parsed, Rules()));
    }

    /// <inheritdoc/>
    protected override int Execute(LoadedModel model, ParseResult parsed) => Answer(model, questions, parsed, made =>
    {
        JsonObject source = ResultSource.Of(parsed, [.. Describe(model, parsed), Rules()]);
        model.Free();
        IEnumerable<GivenAnswer> all =
            questions.Zip(made, static (question, answer) => new GivenAnswer(question with { Output = answer.Text }, answer.Prompt));
        return Report([.. all], parsed, source);
    });

    private int Report(GivenAnswer[] all, ParseResult parsed, JsonObject source)
    {
        AlpacaRecord[] records = [.. all.Select(static answer => answer.Record)];
        var score = new HarmfulScore([.. records.Select(record => refusals.Judge(record.Output, record.Instruction))]);
        JudgeResult[] judged = judges.Count == 0 ? [] : WithProgress(display => judges.Select(judge => JudgeRun.Judge(
            judge, records, Device, parsed, display, Terminal.Error.WriteLine, Cancellation)).ToArray());
        var report = new HarmfulReport(all, score, judged);
        WriteJsonAnd(parsed.GetValue(Json), report.ToJson(source), () =>
        {
            Terminal.WriteText(FormattableString.Invariant($"judged by {refusals.Source} (version {RefusalRules.Version}, {refusals.Hash})"));
            report.Write(Terminal);
        });
        return ExitCode.Success;
    }

    private KeyValuePair<string, JsonNode?> Rules() => new("judge", new JsonObject
    {
        ["name"] = "rules",
        ["version"] = RefusalRules.Version,
        ["rules"] = refusals.Source,
        ["hash"] = refusals.Hash,
    });
}
