using System.Diagnostics;
using System.Globalization;
using NativeVaccine.Cli.Output;
using NativeVaccine.Engine;
using NativeVaccine.Models;
using NativeVaccine.Tokenization;

namespace NativeVaccine.Cli.Commands;

/// <summary>Prompts in tokens, and how they are to be continued.</summary>
/// <param name="texts">The prompts, template included.</param>
/// <param name="ids">Their tokens.</param>
/// <param name="options">How they are continued.</param>
internal sealed class PreparedPrompts(string[] texts, int[][] ids, GenerationOptions options)
{
    /// <summary>
    /// A step reads and prepares all weights whatever it does with them, so products of 96 rows run a good third faster than those of 32; but
    /// what is stopped before its first prompt ends loses them all.
    /// </summary>
    private const int MostAtATime = 64;

    /// <summary>So many, if <see cref="PositionsAtATime"/> allows, even where their keys and values take more than <see cref="CacheBytes"/>.</summary>
    private const int FewAtATime = 32;

    /// <summary>Keys and values of this many positions are kept without asking whether they are worth it.</summary>
    private const int PositionsAtATime = 16 * 2048;

    private const long CacheBytes = 4L << 30;

    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    /// <summary>Tokens of the longest prompt.</summary>
    public int Longest { get; } = ids.Max(static prompt => prompt.Length);

    /// <summary>Says which prompt goes beyond the positions that the model was made for, if any does.</summary>
    public void NotePositions(int positions, Action<string> notice)
    {
        int beyond = ids.Count(prompt => prompt.Length + (long)options.MaxNewTokens > positions);
        if (beyond == 0) return;
        int index = Array.FindIndex(ids, prompt => prompt.Length == Longest);
        string others = beyond == 1 ? "" : string.Create(CultureInfo.InvariantCulture, $" ({beyond} of {ids.Length} prompts go beyond that)");
        notice(string.Create(
            CultureInfo.InvariantCulture,
            $"prompt {index} with {options.MaxNewTokens} new tokens takes {Longest + (long)options.MaxNewTokens} positions; the model was made for {positions}{others}"));
    }

    /// <summary>
    /// Puts the model on its device, with room for as many prompts at a time as are worth it and fit. Memory is planned before anything is
    /// loaded.
    /// </summary>
    /// <exception cref="InputException">Not even one prompt at a time fits.</exception>
    public Session Start(LoadedModel model, ProgressDisplay progress, CancellationToken cancellation)
    {
        long capacity = Longest + (long)options.MaxNewTokens;
        if (capacity > int.MaxValue)
            throw new InputException($"a prompt of {Longest} tokens and {options.MaxNewTokens} new ones take {capacity} positions: expected fewer");
        ModelConfiguration shape = model.Configuration;
        long cacheOfPrompt = capacity * 2 * sizeof(float) * shape.LayerCount * shape.KeyValueHeadCount * shape.HeadSize;
        long most = Math.Min(Math.Clamp(CacheBytes / cacheOfPrompt, FewAtATime, MostAtATime), ids.Length);
        int atATime = (int)Math.Clamp(PositionsAtATime / capacity, 1, most);
        return model.StartLargest(atATime, Room, progress, cancellation);
    }

    /// <summary>Continues the prompts.</summary>
    /// <param name="session">From <see cref="Start"/>.</param>
    /// <param name="tokenizer">The model's.</param>
    /// <param name="progress">Shows how far it is.</param>
    /// <param name="cancellation">Looked at before every token.</param>
    /// <param name="onFinished">Told of each answer as it is done, in whatever order; null if nobody asks.</param>
    /// <param name="known">New tokens of prompts that were continued before, by the prompt's index; null if none were.</param>
    public List<Continuation> Run(
        Session session,
        Tokenizer tokenizer,
        ProgressDisplay progress,
        CancellationToken cancellation,
        Action<int, Continuation>? onFinished = null,
        IReadOnlyDictionary<int, int[]>? known = null)
    {
        int[] which = [.. Enumerable.Range(0, ids.Length).Where(index => known?.ContainsKey(index) != true)];
        ProgressStage stage = progress.Stage("generating");
        var gate = new Lock();
        var written = new List<int>[ids.Length];
        int done = ids.Length - which.Length;
        bool hasAnswer = false;
        string doing = string.Create(CultureInfo.InvariantCulture, $"reading prompts of up to {Longest} tokens");
        // The first token of a long prompt is long in coming, and no other sign of life does.
        using var sign = new Timer(_ => Report(), null, Pause, Pause);
        IReadOnlyList<int[]> all = session.Decoder.Generate(ids, options with { Only = which }, token =>
        {
            (written[token.Prompt] ??= []).Add(token.Id);
            if (!token.IsLast)
            {
                if (!hasAnswer) doing = "writing";
                return;
            }
            hasAnswer = true;
            onFinished?.Invoke(token.Prompt, Make(token.Prompt, [.. written[token.Prompt]], tokenizer));
            lock (gate) doing = string.Create(CultureInfo.InvariantCulture, $"{++done} of {ids.Length}");
            Report();
        }, cancellation);
        return [.. all.Select((added, index) => Make(index, known?.GetValueOrDefault(index) ?? added, tokenizer))];

        void Report()
        {
            lock (gate) stage.Report((double)done / ids.Length, doing);
        }
    }

    /// <summary>What was continued before, where all was.</summary>
    public List<Continuation> Recall(IReadOnlyDictionary<int, int[]> known, Tokenizer tokenizer) =>
        [.. ids.Select((_, index) => Make(index, known[index], tokenizer))];

    /// <summary>Continues the only prompt, and writes its text as it comes.</summary>
    public Continuation Stream(Session session, Tokenizer tokenizer, Terminal terminal, CancellationToken cancellation)
    {
        var added = new List<int>();
        string shown = "";
        var clock = Stopwatch.StartNew();
        // The first token of a long prompt is long in coming.
        using var sign = new Timer(
            _ => terminal.Error.WriteLine(string.Create(
                CultureInfo.InvariantCulture, $"reading the prompt of {Longest} tokens, {clock.Elapsed.TotalSeconds:F0} s so far")),
            null,
            Pause * 2,
            Pause * 10);
        try
        {
            int[] all = session.Decoder.Generate(ids, options, token =>
            {
                if (added.Count == 0) sign.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
                added.Add(token.Id);
                string text = tokenizer.Decode([.. added]);
                // A character may be several tokens; until its last one it ends in U+FFFD.
                string whole = token.IsLast ? text : text.TrimEnd('\uFFFD');
                if (whole.Length <= shown.Length || !whole.StartsWith(shown, StringComparison.Ordinal)) return;
                terminal.Out.Write(whole[shown.Length..]);
                terminal.Out.Flush();
                shown = whole;
            }, cancellation)[0];
            return Make(0, all, tokenizer);
        }
        finally
        {
            if (added.Count > 0) terminal.Out.WriteLine();
        }
    }

    private Continuation Make(int index, int[] added, Tokenizer tokenizer) =>
        new(texts[index], ids[index], added, tokenizer.Decode(added));

    /// <summary>Room for so many at a time, even where they are the longest.</summary>
    private SessionOptions Room(int atATime) => new()
    {
        MaxTokens = Batch.RequireTokens(ids.Select(static prompt => (long)prompt.Length).OrderDescending().Take(atATime).Sum()),
        MaxSamples = atATime,
        LongestSample = Longest,
        DecodeSamples = atATime,
        DecodeCapacity = Longest + options.MaxNewTokens,
    };
}
