using System.CommandLine;
using System.Text.Json.Nodes;
using NativeVaccine.Cli.Options;
using NativeVaccine.Data;

namespace NativeVaccine.Cli.Commands;

/// <summary>Lets a model answer instructions, and writes the answers in the form that AlpacaEval reads, whose judge is another model.</summary>
internal sealed class EvaluateAlpacaCommand : AnsweringVerb
{
    /// <summary>As the reference has it (docs/evaluate.md).</summary>
    private const int NewTokens = 512;

    private readonly Option<string?> data = OptionKinds.Text(
        "--data", "FILE", "instructions: strings or Alpaca records (.json, .jsonl), or text with one a line; without a suffix the content tells");
    private readonly Option<string?> generator =
        OptionKinds.Text("--generator", "NAME", "what the answers call the model; the name of the run's or model's folder unless given");
    private IReadOnlyList<AlpacaRecord> instructions = [];

    public EvaluateAlpacaCommand(CommandContext context) : base(
        "alpaca",
        "Answers to instructions in the form that AlpacaEval reads",
        "nvaccine evaluate alpaca --run ./runs/aligned --data ./alpaca-eval.json --json answers.json",
        context,
        NewTokens)
    {
        data.Required = true;
        AddWithModel([data, generator, .. Generation.All]);
    }

    /// <inheritdoc/>
    protected override IReadOnlyList<string> Measuring => [generator.Name];

    /// <inheritdoc/>
    protected override void Prepare(ParseResult parsed) => instructions = PromptFile.Read(parsed.GetRequiredValue(data)!, Terminal.Error.WriteLine);

    /// <inheritdoc/>
    protected override int Execute(LoadedModel model, ParseResult parsed)
    {
        string name = parsed.GetValue(generator) ?? NameOf(model.Selection);
        return Answer(model, instructions, parsed, answers =>
        {
            WriteJsonOr(parsed.GetValue(Json), ToJson(answers, name), () =>
            {
                foreach ((AlpacaRecord record, Continuation answer) in instructions.Zip(answers))
                    Terminal.Out.WriteLine($"> {Instruction(record).ReplaceLineEndings("\n> ")}\n{answer.Text}\n");
            });
            return ExitCode.Success;
        });
    }

    /// <summary>In the folder of a run, the model's or adapter's own folder has the name that all of them have.</summary>
    private static string NameOf(SelectedModel selection)
    {
        var folder = new DirectoryInfo(Path.TrimEndingDirectorySeparator(selection.Adapters.Count > 0 ? selection.Adapters[^1] : selection.Model));
        return folder.Name is "adapter" or "model" && folder.Parent is { } run ? run.Name : folder.Name;
    }

    private JsonArray ToJson(List<Continuation> answers, string name) =>
        [.. instructions.Zip(answers, (record, answer) => (JsonNode)new JsonObject
        {
            ["instruction"] = Instruction(record),
            ["output"] = answer.Text.Trim(),
            ["generator"] = name,
        })];

    /// <summary>AlpacaEval has no input of its own: there it stands behind the instruction.</summary>
    private static string Instruction(AlpacaRecord record) =>
        record.Input.Length == 0 ? record.Instruction : $"{record.Instruction}\n\n{record.Input}";
}
