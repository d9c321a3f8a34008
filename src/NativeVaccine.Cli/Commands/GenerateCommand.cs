using System.CommandLine;
using System.Text.Json.Nodes;
using NativeVaccine.Cli.Options;
using NativeVaccine.Cli.Output;
using NativeVaccine.Data;
using NativeVaccine.Engine;

namespace NativeVaccine.Cli.Commands;

/// <summary>Lets a model continue prompts.</summary>
internal sealed class GenerateCommand : ModelVerb
{
    private readonly PromptGeneration generation = new();
    private readonly Option<string?> prompt = OptionKinds.Text("--prompt", "TEXT", "the prompt");
    private readonly Option<string?> prompts = OptionKinds.Text(
        "--prompts", "FILE", "prompts: strings or Alpaca records (.json, .jsonl), or text with a prompt a line; without a suffix the content tells");
    private IReadOnlyList<AlpacaRecord> records = [];

    public GenerateCommand(CommandContext context) : base(
        "generate",
        "Continue prompts, taking the likeliest token, or drawing tokens with --temperature",
        "nvaccine generate --run ./runs/aligned --prompt \"How do I boil an egg?\" --max-new-tokens 64",
        context) => AddWithModel([prompt, prompts, .. generation.All]);

    /// <inheritdoc/>
    protected override void Prepare(ParseResult parsed) =>
        records = (parsed.GetValue(prompt), parsed.GetValue(prompts)) switch
        {
            ({ } text, null) => [new AlpacaRecord(text, "", "")],
            (null, { } path) => PromptFile.Read(path, Terminal.Error.WriteLine),
            _ => throw new InputException("nvaccine generate: expected either --prompt or --prompts"),
        };

    /// <inheritdoc/>
    protected override int Execute(LoadedModel model, ParseResult parsed)
    {
        PreparedPrompts prepared = generation.Prepare(model, records, parsed, Terminal.Error.WriteLine);
        if (records.Count == 1 && parsed.GetValue(Json) is null)
        {
            Session session = WithProgress(display => prepared.Start(model, display, Cancellation));
            prepared.Stream(session, model.Tokenizer, Terminal, Cancellation);
            return ExitCode.Success;
        }

        List<Continuation> continuations = WithProgress(display =>
            prepared.Run(prepared.Start(model, display, Cancellation), model.Tokenizer, display, Cancellation));
        WriteJsonOr(parsed.GetValue(Json), ToJson(continuations), () =>
        {
            foreach ((AlpacaRecord record, Continuation continuation) in records.Zip(continuations))
            {
                string asked = record.Input.Length == 0 ? record.Instruction : $"{record.Instruction}\n{record.Input}";
                foreach (string line in asked.Split('\n')) Terminal.Out.WriteLine($"> {line.TrimEnd('\r')}");
                Terminal.Out.WriteLine(continuation.Text);
                Terminal.Out.WriteLine();
            }
        });
        return ExitCode.Success;
    }

    private static JsonArray ToJson(IEnumerable<Continuation> continuations) =>
        [.. continuations.Select(static continuation => (JsonNode)new JsonObject
    {
        ["prompt"] = continuation.Prompt,
        ["prompt_ids"] = JsonValues.Array(continuation.PromptIds),
        ["new_ids"] = JsonValues.Array(continuation.NewIds),
        ["text"] = continuation.Text,
    })];
}
