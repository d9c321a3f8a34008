using System.CommandLine;
using NativeVaccine.Cli.Options;
using NativeVaccine.Cli.Output;
using NativeVaccine.Data;
using NativeVaccine.Engine;

namespace NativeVaccine.Cli.Commands;

/// <summary>A prompt with what the model made of it.</summary>
/// <param name="Prompt">The text that the model was asked to continue, template included.</param>
/// <param name="PromptIds">Its tokens.</param>
/// <param name="NewIds">The tokens that the model added; the end token, where one came, is the last.</param>
/// <param name="Text">Their text.</param>
internal sealed record Continuation(string Prompt, int[] PromptIds, int[] NewIds, string Text);

/// <summary>Options of verbs that let a model write, and the writing.</summary>
internal sealed class PromptGeneration
{
    private const int PromptsAtATime = 16;
    private const int DefaultNewTokens = 128;

    public Option<string?> Template { get; } =
        OptionKinds.Choice("--template", "how a prompt is put to the model; that of --run, else alpaca unless given", "alpaca", "none");
    public Option<int?> MaxNewTokens { get; } =
        OptionKinds.WholeNumber("--max-new-tokens", "longest continuation in tokens; 128 unless given", 1);

    public IEnumerable<Option> All => [Template, MaxNewTokens];

    /// <summary>Continues prompts greedily.</summary>
    public List<Continuation> Run(
        LoadedModel model,
        IReadOnlyList<AlpacaRecord> prompts,
        ParseResult parsed,
        ProgressDisplay progress,
        CancellationToken cancellation)
    {
        PromptTemplate template = PromptTemplate.Parse(parsed.GetValue(Template) ?? model.Selection.Template);
        string[] texts = [.. prompts.Select(prompt => template.Prompt(prompt.Instruction, prompt.Input))];
        int[][] ids = [.. texts.Select(text => model.Tokenizer.Encode(text))];
        int newTokens = parsed.GetValue(MaxNewTokens) ?? DefaultNewTokens;
        int longest = ids.Max(static prompt => prompt.Length);
        int atATime = Math.Min(PromptsAtATime, ids.Length);
        Session session = model.Start(
            new SessionOptions
            {
                MaxTokens = atATime * longest,
                MaxSamples = atATime,
                LongestSample = longest,
                DecodeSamples = atATime,
                DecodeCapacity = longest + newTokens,
            },
            progress);
        ProgressStage stage = progress.Stage("generating");
        int done = 0;
        IReadOnlyList<int[]> continuations = session.Decoder.Generate(
            ids,
            new GenerationOptions { MaxNewTokens = newTokens, EndIds = model.Tokenizer.EndOfSequenceIds },
            new ImmediateProgress<int>(_ => stage.Report((double)++done / ids.Length, $"{done} of {ids.Length}")),
            cancellation);
        return [.. continuations.Select((added, i) => new Continuation(texts[i], ids[i], added, model.Tokenizer.Decode(added)))];
    }
}
