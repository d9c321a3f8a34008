using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using NativeVaccine.Cli.Output;
using NativeVaccine.Data;
using NativeVaccine.Engine;
using NativeVaccine.Evaluation;

namespace NativeVaccine.Cli.Commands;

/// <summary>A verb that lets a model answer a file of questions and measures the answers, which are kept as they come.</summary>
internal abstract class AnsweringVerb(string name, string description, string example, CommandContext context, int newTokens)
    : ResumableVerb(name, description, example, context)
{
    /// <summary>How the questions are put, and answered.</summary>
    protected PromptGeneration Generation { get; } = new(newTokens);

    /// <summary>What a result says of how the answers were made.</summary>
    protected IEnumerable<KeyValuePair<string, JsonNode?>> Describe(LoadedModel model, ParseResult parsed) =>
        [.. model.Describe(), new("template", Generation.TemplateFor(model, parsed).Name)];

    /// <summary>Lets the model answer, and measures.</summary>
    /// <param name="model">The model.</param>
    /// <param name="questions">The questions.</param>
    /// <param name="parsed">The options.</param>
    /// <param name="measure">Measures the answers, one for each question, and writes the result.</param>
    /// <returns>The exit code.</returns>
    protected int Answer(
        LoadedModel model, IReadOnlyList<AlpacaRecord> questions, ParseResult parsed, Func<List<Continuation>, int> measure)
    {
        PreparedPrompts prepared = Generation.Prepare(model, questions, parsed, Terminal.Error.WriteLine);
        PromptTemplate template = Generation.TemplateFor(model, parsed);
        IEnumerable<string> prompts = questions.Select(template.Prompt);
        PartialField<int[]> field = PartialField.NewTokens(model.Configuration.VocabularySize);
        return Keeping(model, parsed, questions.Count, prompts, [new("template", template.Name)], field, kept => measure(
            kept?.Results.Count == questions.Count ? prepared.Recall(kept.Results, model.Tokenizer) : Ask(model, prepared, kept)));
    }

    private List<Continuation> Ask(LoadedModel model, PreparedPrompts prepared, PartialResults<int[]>? kept)
    {
        var clock = new Stopwatch();
        long tokens = 0;
        List<Continuation> answers = WithProgress(display =>
        {
            Session session = prepared.Start(model, display, Cancellation);
            clock.Start();
            return prepared.Run(
                session,
                model.Tokenizer,
                display,
                Cancellation,
                (index, continuation) =>
                {
                    kept?.Append(index, [.. continuation.NewIds]);
                    tokens += continuation.NewIds.Length;
                },
                kept is null ? null : new Dictionary<int, int[]>(kept.Results));
        });
        double seconds = clock.Elapsed.TotalSeconds;
        Terminal.Error.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"wrote {tokens} tokens in {seconds:F1} s, reading prompts included: {tokens / seconds:F0} tokens a second"));
        return answers;
    }
}
