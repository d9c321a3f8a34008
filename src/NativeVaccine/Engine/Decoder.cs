using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using NativeVaccine.Interop;

namespace NativeVaccine.Engine;

/// <summary>A token as it is made.</summary>
/// <param name="Prompt">Index of the prompt that it continues.</param>
/// <param name="Id">The token.</param>
/// <param name="IsLast">True if it ends the continuation.</param>
public readonly record struct DecodedToken(int Prompt, int Id, bool IsLast);

/// <summary>
/// Continues prompts with keys and values cached, many at a time. It uses the activations' memory: no backward pass can follow.
/// </summary>
public sealed class Decoder
{
    private readonly Session session;
    private readonly SessionOptions limits;

    internal Decoder(Session session)
    {
        this.session = session;
        limits = session.Plan.Options;
    }

    /// <summary>Continues prompts.</summary>
    /// <param name="prompts">Token ids.</param>
    /// <param name="options">When to stop, and how to choose.</param>
    /// <param name="onToken">Told of every token as it is made; null if nobody asks.</param>
    /// <param name="cancellation">Ends it early, also within a long prompt.</param>
    /// <returns>
    /// The new tokens of each prompt, in the order given, none for those left out; the end token, where one came, is the last. Neither greedy
    /// results nor draws depend on which prompts go on together.
    /// </returns>
    /// <exception cref="InputException">A prompt is empty, or too long for the plan; the message names it and the limit.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public IReadOnlyList<int[]> Generate(
        IReadOnlyList<int[]> prompts, GenerationOptions options, Action<DecodedToken>? onToken = null, CancellationToken cancellation = default)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(options.MaxNewTokens, nameof(options));
        RequireRoom(prompts, options.MaxNewTokens);
        return new DecoderRun(session, prompts, options, onToken).Generate(cancellation);
    }

    private void RequireRoom(IReadOnlyList<int[]> prompts, int newTokens)
    {
        if (limits.DecodeSamples == 0)
            throw new InvalidOperationException("the plan has no room for decoding; expected DecodeSamples of at least 1");
        // The last new token is never read, so it needs no place in the cache.
        int most = Math.Max(0, Math.Min(limits.DecodeCapacity - newTokens + 1, Math.Min(limits.LongestSample, limits.MaxTokens)));
        for (int index = 0; index < prompts.Count; index++)
        {
            int length = prompts[index].Length;
            if (length == 0) throw new InputException($"prompt {index} has no tokens; expected at least 1");
            if (length > most)
                throw new InputException($"prompt {index} has {length} tokens; with {newTokens} new ones there is room for {most}");
        }
    }
}

/// <summary>
/// Prompts on their way through the engine, the shortest first. A prompt that ends leaves its place in the cache to the next one, so that
/// every step serves as many as there is room for.
/// </summary>
internal sealed class DecoderRun
{
    /// <summary>Reading prompts costs a pass over the weights, so it waits until this part of the places is free.</summary>
    private const int PlacesPerRead = 4;

    private const int Free = -1;
    private readonly Session session;
    private readonly SessionOptions limits;
    private readonly IReadOnlyList<int[]> prompts;
    private readonly GenerationOptions options;
    private readonly Action<DecodedToken>? onToken;
    private readonly Queue<int> waiting;
    private readonly List<int>?[] continuations;

    /// <summary>The prompt in each place of the cache, or <see cref="Free"/>.</summary>
    private readonly int[] promptAt;

    /// <summary>Of each place; pinned, so that the engine finds them whatever is collected meanwhile.</summary>
    private readonly ulong[] seeds;

    public DecoderRun(Session session, IReadOnlyList<int[]> prompts, GenerationOptions options, Action<DecodedToken>? onToken)
    {
        (this.session, this.prompts, this.options, this.onToken) = (session, prompts, options, onToken);
        limits = session.Plan.Options;
        waiting = new Queue<int>((options.Only ?? Enumerable.Range(0, prompts.Count)).OrderBy(index => prompts[index].Length));
        continuations = new List<int>?[prompts.Count];
        promptAt = new int[limits.DecodeSamples];
        Array.Fill(promptAt, Free);
        seeds = GC.AllocateArray<ulong>(promptAt.Length, pinned: true);
    }

    private unsafe NativeSampling Sampling => new()
    {
        StructSize = (uint)Unsafe.SizeOf<NativeSampling>(),
        Temperature = options.Temperature,
        TopK = options.TopK,
        TopP = options.TopP,
        RepetitionPenalty = options.RepetitionPenalty,
        Seeds = (ulong*)Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(seeds)),
    };

    /// <summary>Whether prompts are to be read before the next step: all that wait, or enough to be worth a pass.</summary>
    private bool IsTimeToRead =>
        waiting.Count > 0
        && promptAt.Count(static prompt => prompt == Free) >= Math.Min(waiting.Count, Math.Max(1, promptAt.Length / PlacesPerRead));

    /// <summary>All continuations, by prompt.</summary>
    public IReadOnlyList<int[]> Generate(CancellationToken cancellation)
    {
        while (true)
        {
            while (IsTimeToRead) Read(cancellation);
            int[] places = [.. Enumerable.Range(0, promptAt.Length).Where(place => promptAt[place] != Free)];
            if (places.Length > 0) Step(places, cancellation);
            else if (waiting.Count == 0) return [.. continuations.Select(static continuation => continuation?.ToArray() ?? [])];
        }
    }

    /// <summary>Reads the next prompts into free places, as many as go through the model at a time.</summary>
    private void Read(CancellationToken cancellation)
    {
        var places = new List<int>();
        int left = limits.MaxTokens;
        for (int place = 0; place < promptAt.Length && places.Count < limits.MaxSamples; place++)
        {
            if (promptAt[place] != Free) continue;
            if (waiting.Count == 0 || prompts[waiting.Peek()].Length > left) break;
            int index = waiting.Dequeue();
            left -= prompts[index].Length;
            promptAt[place] = index;
            // A prompt draws by a seed of its own, so that it depends on no other.
            seeds[place] = options.Seed ^ ((ulong)index * 0x9E3779B97F4A7C15);
            places.Add(place);
        }
        int[] samples = [.. places], tokens = new int[samples.Length];
        bool isFirst = Array.TrueForAll(continuations, static continuation => continuation is null);
        Session.WithNativeBatch(Batch.OfPrompts([.. samples.Select(place => prompts[promptAt[place]])]), (in NativeBatch batch) =>
        {
            NativeBatch given = batch;
            session.RunPass(
                () => isFirst
                    ? NativeMethods.DecodeBegin(session.Handle, given, Sampling, tokens)
                    : NativeMethods.DecodeJoin(session.Handle, given, samples, Sampling, tokens),
                cancellation);
        });
        Append(samples, tokens);
    }

    private void Step(int[] places, CancellationToken cancellation)
    {
        int[] tokens = [.. places.Select(place => continuations[promptAt[place]]![^1])], next = new int[places.Length];
        session.RunPass(() => NativeMethods.DecodeNext(session.Handle, places.Length, places, tokens, Sampling, next), cancellation);
        Append(places, next);
    }

    private void Append(int[] places, int[] tokens)
    {
        for (int i = 0; i < places.Length; i++)
        {
            int prompt = promptAt[places[i]];
            List<int> continuation = continuations[prompt] ??= [];
            continuation.Add(tokens[i]);
            bool isLast = continuation.Count == options.MaxNewTokens || options.EndIds.Contains(tokens[i]);
            if (isLast) promptAt[places[i]] = Free;
            onToken?.Invoke(new DecodedToken(prompt, tokens[i], isLast));
        }
    }
}
