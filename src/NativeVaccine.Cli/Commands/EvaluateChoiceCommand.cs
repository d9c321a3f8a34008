using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using NativeVaccine.Cli.Options;
using NativeVaccine.Cli.Output;
using NativeVaccine.Data;
using NativeVaccine.Engine;
using NativeVaccine.Evaluation;
using Spectre.Console;

namespace NativeVaccine.Cli.Commands;

/// <summary>Asks a model questions with choices, and takes the choice that it finds likeliest.</summary>
internal sealed class EvaluateChoiceCommand : ResumableVerb
{
    private readonly Option<string?> data = OptionKinds.Text(
        "--data", "FILE", "questions with choices: MMLU's CSV (no header), or records of question, choices and answer (.json, .jsonl)");
    private readonly Option<string?> dev = OptionKinds.Text("--dev", "FILE", "where the shots come from: a file of the same kinds");
    private readonly Option<int?> shots = OptionKinds.WholeNumber(
        "--shots", "put so many questions with their answers before each: the first of --dev; 0 unless given", 0);
    private readonly Option<string?> form = OptionKinds.Words<ChoiceForm>(
        "--form",
        "letters: MMLU's prompt, of which a letter is the answer; answers: the choice's own text is; letters for .csv, else answers unless given");
    private IReadOnlyList<ChoiceQuestion> questions = [];
    private ChoiceQuestion[] examples = [];

    public EvaluateChoiceCommand(CommandContext context) : base(
        "choice",
        "Accuracy on questions with choices, by log-likelihood as lm-eval counts it",
        "nvaccine evaluate choice --model ./llama-2-7b --data ./test/virology_test.csv --dev ./dev/virology_dev.csv --shots 5",
        context)
    {
        data.Required = true;
        AddWithModel(data, dev, shots, form);
    }

    /// <inheritdoc/>
    protected override void Prepare(ParseResult parsed)
    {
        questions = ChoiceFile.Read(parsed.GetRequiredValue(data)!, Terminal.Error.WriteLine);
        examples = ReadShots(parsed);
    }

    private ChoiceQuestion[] ReadShots(ParseResult parsed)
    {
        int count = parsed.GetValue(shots) ?? 0;
        if (parsed.GetValue(dev) is not { } file)
        {
            return count == 0
                ? []
                : throw new InputException($"nvaccine evaluate choice: expected --dev FILE, of which the {count} shots are the first questions");
        }
        IReadOnlyList<ChoiceQuestion> all = ChoiceFile.Read(file, Terminal.Error.WriteLine);
        return count <= all.Count
            ? [.. all.Take(count)]
            : throw new InputException(FormattableString.Invariant($"{file}: {all.Count} questions: expected at least --shots {count}"));
    }

    /// <inheritdoc/>
    protected override int Execute(LoadedModel model, ParseResult parsed)
    {
        bool isTable = parsed.GetRequiredValue(data)!.EndsWith(".csv", StringComparison.OrdinalIgnoreCase);
        ChoiceForm asked = OptionKinds.Word(parsed, form, isTable ? ChoiceForm.Letters : ChoiceForm.Answers);
        ChoicePrompt[] prompts = [.. questions.Select(question => ChoicePrompt.Of(question, examples, asked))];
        List<LikelihoodRequest[]> requests = Requests(model, prompts);
        IEnumerable<string> texts = prompts.Select(static prompt => string.Join('\n', (string[])[prompt.Context, .. prompt.Answers]));
        return Keeping(model, parsed, prompts.Length, texts, [], PartialField.LogLikelihoods, kept =>
        {
            var clock = new Stopwatch();
            (IReadOnlyList<double[]> likelihoods, long tokens) = Score(model, requests, kept, clock);
            var report = new ChoiceReport([.. questions.Select((question, i) => new ChoiceResult(question, prompts[i], likelihoods[i]))]);
            Write(report, asked, tokens, clock.Elapsed.TotalSeconds, model, parsed);
            return ExitCode.Success;
        });
    }

    /// <summary>The log-likelihoods of all choices, and how many tokens went through the model for those that were not kept.</summary>
    private (IReadOnlyList<double[]> LogLikelihoods, long Tokens) Score(
        LoadedModel model, List<LikelihoodRequest[]> requests, PartialResults<double[]>? kept, Stopwatch clock)
    {
        var all = new double[requests.Count][];
        foreach ((int index, double[] values) in kept?.Results ?? new Dictionary<int, double[]>())
            if (values.Length == requests[index].Length) all[index] = values;
        int[] open = [.. Enumerable.Range(0, all.Length).Where(index => all[index] is null)];
        if (open.Length == 0) return (all, 0);
        var scorer = new LikelihoodScorer([.. open.Select(index => requests[index])]);
        WithProgress(display =>
        {
            Session session = model.StartLargest(scorer.Texts, scorer.Room, display, Cancellation);
            clock.Start();
            return scorer.Score(session, display.Stage("evaluating"), Take, Cancellation);
        });
        clock.Stop();
        return (all, scorer.TokenCount);

        void Take(int item, double[] values)
        {
            all[open[item]] = values;
            kept?.Append(open[item], values);
        }
    }

    private void Write(ChoiceReport report, ChoiceForm form, long tokens, double seconds, LoadedModel model, ParseResult parsed)
    {
        JsonObject json = ToJson(report);
        json["form"] = form == ChoiceForm.Letters ? "letters" : "answers";
        json["shots"] = examples.Length;
        json["tokens"] = tokens;
        json["seconds"] = seconds;
        json["source"] = ResultSource.Of(parsed, model.Describe());
        json["items"] = Items(report);
        WriteJsonAnd(parsed.GetValue(Json), json, () => Terminal.Write(ToTable(report).Caption(string.Create(
            CultureInfo.InvariantCulture,
            $"{report.Items.Count} questions, {examples.Length} shots; {tokens} tokens in {seconds:F1} s"))));
    }

    private List<LikelihoodRequest[]> Requests(LoadedModel model, ChoicePrompt[] prompts)
    {
        string file = Path.GetFileName(model.Selection.Model);
        var requests = new List<LikelihoodRequest[]>(prompts.Length);
        foreach ((int index, ChoicePrompt prompt) in prompts.Index())
        {
            int[] context = model.Tokenizer.Encode(prompt.Context);
            if (context.Length == 0) throw new InputException($"{file}: its tokenizer makes no token of question {index}: expected another tokenizer");
            requests.Add([.. prompt.Answers.Select((_, choice) => LikelihoodRequest.Of(
                model.Tokenizer, prompt.Context, context, prompt.Continuation(choice), model.Configuration.MaximumPositions))]);
        }
        int cut = requests.Count(static item => item.Any(static request => request.IsCut));
        if (cut > 0)
        {
            Terminal.Error.WriteLine(
                $"{cut} of {prompts.Length} questions have more tokens than the model's {model.Configuration.MaximumPositions} positions; "
                + "the beginning is cut off, as lm-eval does");
        }
        return requests;
    }

    private static Table ToTable(ChoiceReport report) => new Table()
        .AddColumn("measure")
        .AddColumn(new TableColumn("right").RightAligned())
        .AddColumn(new TableColumn("share").RightAligned())
        .AddColumn(new TableColumn("95 % interval").RightAligned())
        .AddRow(Row("accuracy", report.Items, static item => item.IsCorrect))
        .AddRow(Row("accuracy by character", report.Items, static item => item.IsCorrectNormalized));

    private static string[] Row(string name, IReadOnlyList<ChoiceResult> items, Func<ChoiceResult, bool> isRight)
    {
        int right = items.Count(isRight);
        return
        [
            name,
            right.ToString(CultureInfo.InvariantCulture),
            IntervalText.Percent((double)right / items.Count),
            IntervalText.Percent(Bootstrap.OfShare(items.Select(isRight))),
        ];
    }

    private static JsonObject ToJson(ChoiceReport report) => new()
    {
        ["accuracy"] = report.Accuracy,
        ["accuracy_interval"] = Bootstrap.OfShare(report.Items.Select(static item => item.IsCorrect)).ToJson(),
        ["accuracy_normalized"] = report.AccuracyNormalized,
        ["accuracy_normalized_interval"] = Bootstrap.OfShare(report.Items.Select(static item => item.IsCorrectNormalized)).ToJson(),
        ["intervals"] = IntervalText.Method(),
        ["count"] = report.Items.Count,
    };

    private static JsonArray Items(ChoiceReport report) => [.. report.Items.Select(static (item, index) => (JsonNode)new JsonObject
    {
        ["index"] = index,
        ["context"] = item.Prompt.Context,
        ["choices"] = new JsonArray([.. item.Prompt.Answers.Select(static answer => (JsonNode)answer)]),
        ["log_likelihoods"] = new JsonArray([.. item.LogLikelihoods.Select(JsonValues.Number)]),
        ["answer"] = item.Question.Answer,
        ["choice"] = item.Choice,
        ["choice_normalized"] = item.ChoiceNormalized,
        ["correct"] = item.IsCorrect,
        ["correct_normalized"] = item.IsCorrectNormalized,
    })];
}
