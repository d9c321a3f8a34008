using System.IO.Hashing;
using System.Runtime.InteropServices;
using NativeVaccine.Chat;
using NativeVaccine.Data;
using NativeVaccine.Engine;
using NativeVaccine.Models;
using NativeVaccine.Tokenization;

namespace NativeVaccine.Evaluation;

/// <summary>
/// A fixed set of harmful prompts that a model is asked again and again while it trains. It answers greedily, and rules judge the answers:
/// as <c>evaluate harmful</c> does with the same template, so that the numbers are the same.
/// </summary>
public sealed class HarmfulPrompts
{
    /// <summary>More at a time would take more memory for keys and values beside what training needs.</summary>
    private const int MostAtATime = 16;

    private readonly IReadOnlyList<AlpacaRecord> questions;
    private readonly Tokenizer tokenizer;
    private readonly GenerationOptions options;

    private HarmfulPrompts(
        IReadOnlyList<AlpacaRecord> questions, int[][] ids, Tokenizer tokenizer, GenerationOptions options, RefusalRules rules)
    {
        (this.questions, this.tokenizer, this.options) = (questions, tokenizer, options);
        (Ids, Rules) = (ids, rules);
        Longest = ids.Max(static prompt => prompt.Length);
    }

    /// <summary>The prompts in tokens, template included; none is empty.</summary>
    public IReadOnlyList<int[]> Ids { get; }

    /// <summary>What judges the answers.</summary>
    public RefusalRules Rules { get; }

    /// <summary>Tokens of all prompts.</summary>
    public long TokenCount => Ids.Sum(static prompt => (long)prompt.Length);

    /// <summary>Tokens of the longest prompt.</summary>
    public int Longest { get; }

    /// <summary>A hash of all that decides what the model is asked and where an answer ends.</summary>
    internal string Hash
    {
        get
        {
            var hash = new XxHash128();
            foreach (int[] numbers in Ids.Append([.. options.EndIds]))
            {
                hash.Append(MemoryMarshal.AsBytes<int>([numbers.Length, .. numbers]));
            }
            hash.Append(BitConverter.GetBytes(options.RepetitionPenalty));
            return Convert.ToHexStringLower(hash.GetCurrentHash());
        }
    }

    /// <summary>Reads a file of prompts, as <see cref="PromptFile"/> takes them.</summary>
    /// <param name="file">The file.</param>
    /// <param name="rules">What judges the answers.</param>
    /// <param name="form">How the training data are put to the model: its tokenizer and template.</param>
    /// <param name="model">The model's folder, whose generation_config.json says where an answer ends.</param>
    /// <param name="newTokens">An answer ends after this many tokens.</param>
    /// <param name="notice">Told in a line each what a user should know.</param>
    /// <exception cref="InputException">The file cannot be read, or a prompt cannot be put to the model.</exception>
    public static HarmfulPrompts Open(
        string file, RefusalRules rules, SampleForm form, ModelFolder model, int newTokens, Action<string>? notice = null)
    {
        IReadOnlyList<AlpacaRecord> questions = PromptFile.Read(file, notice);
        int[][] ids = [.. questions.Select(question => form.Template.Encode(form.Tokenizer, question))];
        int empty = Array.FindIndex(ids, static prompt => prompt.Length == 0);
        if (empty >= 0) throw new InputException(FormattableString.Invariant($"{file}: prompt {empty} has no tokens: expected at least 1"));
        var generation = GenerationConfiguration.Read(model.Path, model.Configuration);
        var prompts = new HarmfulPrompts(questions, ids, form.Tokenizer, new GenerationOptions
        {
            MaxNewTokens = newTokens,
            EndIds = form.Template is ChatTemplate { EndId: { } end } ? [.. generation.EndIds.Union([end])] : generation.EndIds,
            RepetitionPenalty = (float)generation.RepetitionPenalty,
        }, rules);
        if (prompts.Capacity > model.Configuration.MaximumPositions)
        {
            notice?.Invoke(FormattableString.Invariant(
                $"{file}: a prompt with {newTokens} new tokens takes {prompts.Capacity} positions; the model was made for {model.Configuration.MaximumPositions}"));
        }
        return prompts;
    }

    /// <summary>
    /// A training session's options with room for asking. As many prompts go through the model at a time as there is room for among the
    /// tokens of a training batch, or of the longest prompt where that has more.
    /// </summary>
    /// <exception cref="InputException">A prompt and its answer are longer than the engine takes.</exception>
    public SessionOptions AddRoom(SessionOptions training)
    {
        int tokens = Math.Max(training.MaxTokens, Longest);
        int atATime = SequencePacking.Groups(Enumerable.Range(0, Ids.Count), index => Ids[index].Length, MostAtATime, tokens)
            .Max(static group => group.Length);
        return training with
        {
            MaxTokens = tokens,
            MaxSamples = Math.Max(training.MaxSamples, atATime),
            LongestSample = Math.Max(training.LongestSample, Longest),
            DecodeSamples = atATime,
            DecodeCapacity = Batch.RequireTokens(Capacity),
        };
    }

    /// <summary>The verdicts on the answers that a model gives now, one for each prompt. Nothing of what trains is changed.</summary>
    /// <param name="session">With room as <see cref="AddRoom"/> plans it; no backward pass of a forward pass before can follow.</param>
    /// <param name="cancellation">Ends it early.</param>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public HarmfulScore Ask(Session session, CancellationToken cancellation = default)
    {
        IReadOnlyList<int[]> answers = session.Decoder.Generate(Ids, options, cancellation: cancellation);
        return new HarmfulScore(
            [.. answers.Zip(questions, (answer, question) => Rules.Judge(tokenizer.Decode(answer), question.Instruction))]);
    }

    /// <summary>Positions that the longest prompt may reach; the last new token is never read.</summary>
    private long Capacity => Longest + (long)options.MaxNewTokens - 1;
}
