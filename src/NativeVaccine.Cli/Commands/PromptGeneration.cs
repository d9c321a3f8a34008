using System.CommandLine;
using System.Globalization;
using NativeVaccine.Chat;
using NativeVaccine.Cli.Options;
using NativeVaccine.Data;
using NativeVaccine.Engine;
using NativeVaccine.Models;

namespace NativeVaccine.Cli.Commands;

/// <summary>A prompt with what the model made of it.</summary>
/// <param name="Prompt">The text that the model was asked to continue, template included.</param>
/// <param name="PromptIds">Its tokens.</param>
/// <param name="NewIds">The tokens that the model added; the end token, where one came, is the last.</param>
/// <param name="Text">Their text.</param>
internal sealed record Continuation(string Prompt, int[] PromptIds, int[] NewIds, string Text);

/// <summary>Options of verbs that let a model write, and what is made of them.</summary>
/// <param name="newTokens">The longest continuation, unless another is asked for.</param>
internal sealed class PromptGeneration(int newTokens = 128)
{
    public Option<string?> Template { get; } =
        OptionKinds.Template(
            "how a prompt is put to the model; that of --run, else alpaca unless given; in prompts the text of special tokens stays text");
    public Option<int?> MaxNewTokens { get; } =
        OptionKinds.WholeNumber(
        "--max-new-tokens", string.Create(CultureInfo.InvariantCulture, $"longest continuation in tokens; {newTokens} unless given"), 1);
    public Option<double?> Temperature { get; } =
        OptionKinds.NonNegativeFloat32("--temperature", "draw tokens, from logits divided by this; 0, the default, takes the likeliest token");
    public Option<int?> TopK { get; } = OptionKinds.WholeNumber(
        "--top-k", "with a temperature: draw among the likeliest so many, 0 for all; generation_config.json's, else 0 unless given", 0);
    public Option<double?> TopP { get; } = OptionKinds.Number(
        "--top-p",
        "with a temperature: draw among the likeliest that reach this probability; generation_config.json's, else 1 unless given",
        static value => value is > 0 and <= 1,
        "a number above 0, at most 1");
    public Option<ulong?> Seed { get; } = OptionKinds.Seed("--seed", "with a temperature: seed of the draws; 0 unless given");

    public Option<double?> RepetitionPenalty { get; } = OptionKinds.PositiveFloat32(
        "--repetition-penalty",
        "divide the logits of tokens that are there already by this, 1 for none; generation_config.json's, else 1 unless given");

    public IEnumerable<Option> All => [Template, MaxNewTokens, Temperature, TopK, TopP, Seed, RepetitionPenalty];

    /// <summary>The template that was asked for, or the model's own.</summary>
    public PromptTemplate TemplateFor(LoadedModel model, ParseResult parsed, Action<string>? notice = null) =>
        model.Template(parsed.GetValue(Template), notice);

    /// <summary>The prompts in tokens, and how they are to be continued. Nothing is loaded yet.</summary>
    /// <param name="model">The model.</param>
    /// <param name="prompts">The prompts.</param>
    /// <param name="parsed">The options.</param>
    /// <param name="notice">Told in a line what a user should know.</param>
    /// <exception cref="InputException">An option is given that would do nothing, or a prompt has no tokens.</exception>
    public PreparedPrompts Prepare(
        LoadedModel model, IReadOnlyList<AlpacaRecord> prompts, ParseResult parsed, Action<string> notice)
    {
        PromptTemplate template = TemplateFor(model, parsed, notice);
        string[] texts = [.. prompts.Select(template.Prompt)];
        GenerationOptions options = WithEndOf(template, Options(model, parsed, notice), model, notice);
        if (template is not ChatTemplate && model.Tokenizer.ClosingId is { } closing)
            notice($"the tokenizer's files put token {closing} after a text; a prompt is left open");
        int special = prompts.Select(template.TextOf).Count(model.Tokenizer.HoldsSpecialText);
        if (special > 0)
            notice($"{special} of {texts.Length} prompts hold the text of a special token, which is taken as text, not as the token");
        var prepared = new PreparedPrompts(texts, [.. prompts.Select(prompt => template.Encode(model.Tokenizer, prompt))], options);
        prepared.NotePositions(model.Configuration.MaximumPositions, notice);
        return prepared;
    }

    /// <summary>An answer also ends where the chat template ends it, which the model's files need not say.</summary>
    private static GenerationOptions WithEndOf(PromptTemplate template, GenerationOptions options, LoadedModel model, Action<string> notice)
    {
        if (template is not ChatTemplate { EndId: { } end } || options.EndIds.Contains(end)) return options;
        notice(FormattableString.Invariant($"an answer also ends with {model.Tokenizer.Piece(end)} ({end}), as the chat template has it"));
        return options with { EndIds = [.. options.EndIds, end] };
    }

    private GenerationOptions Options(LoadedModel model, ParseResult parsed, Action<string> notice)
    {
        var file = GenerationConfiguration.Read(model.Selection.Model, model.Configuration);
        foreach (string line in file.Notices) notice(line);
        double penalty = parsed.GetValue(RepetitionPenalty) ?? file.RepetitionPenalty;
        if (parsed.GetValue(RepetitionPenalty) is null && penalty != 1)
        {
            notice(string.Create(
                CultureInfo.InvariantCulture,
                $"generation_config.json: repetition_penalty {penalty} is applied, as transformers does (--repetition-penalty 1 for none)"));
        }

        double temperature = parsed.GetValue(Temperature) ?? 0;
        if (temperature > 0)
        {
            foreach (string line in file.NoticesOnDraws) notice(line);
        }
        else if (parsed.FirstGiven([TopK, TopP, Seed]) is { } useless)
        {
            throw new InputException($"{useless.Name} is for drawing tokens: expected a --temperature above 0 with it");
        }

        var options = new GenerationOptions
        {
            MaxNewTokens = parsed.GetValue(MaxNewTokens) ?? newTokens,
            EndIds = file.EndIds,
            Temperature = (float)temperature,
            RepetitionPenalty = (float)penalty,
            TopK = parsed.GetValue(TopK) ?? file.TopK ?? 0,
            TopP = (float)(parsed.GetValue(TopP) ?? file.TopP ?? 1),
            Seed = parsed.GetValue(Seed) ?? 0,
        };
        bool fromFile = (parsed.GetValue(TopK) is null && file.TopK is > 0) || (parsed.GetValue(TopP) is null && file.TopP is < 1);
        if (temperature > 0 && fromFile)
        {
            notice(string.Create(
                CultureInfo.InvariantCulture,
                $"drawing with top-k {options.TopK} and top-p {options.TopP}, from generation_config.json where not given (--top-k 0 --top-p 1 draw among all)"));
        }
        return options;
    }
}
