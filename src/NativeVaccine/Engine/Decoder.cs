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
    /// results nor draws depend on how the prompts fall into groups.
    /// </returns>
    /// <exception cref="InputException">A prompt is empty, or too long for the plan; the message names it and the limit.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public IReadOnlyList<int[]> Generate(
        IReadOnlyList<int[]> prompts, GenerationOptions options, Action<DecodedToken>? onToken = null, CancellationToken cancellation = default)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(options.MaxNewTokens, nameof(options));
        RequireRoom(prompts, options.MaxNewTokens);
        int[][] results = new int[prompts.Count][];
        Array.Fill(results, []);
        IEnumerable<int> which = options.Only ?? Enumerable.Range(0, prompts.Count);
        int most = Math.Min(limits.DecodeSamples, limits.MaxSamples);
        foreach (int[] group in SequencePacking.Groups(which, index => prompts[index].Length, most, limits.MaxTokens))
        {
            // A prompt draws by a seed of its own, so that it depends on no other.
            IEnumerable<ulong> seeds = group.Select(index => options.Seed ^ ((ulong)index * 0x9E3779B97F4A7C15));
            var run = new DecoderGroup(session, [.. group.Select(index => prompts[index])], options, seeds);
            List<int>[] continuations = run.Generate(
                (slot, id, isLast) => onToken?.Invoke(new DecodedToken(group[slot], id, isLast)), cancellation);
            for (int slot = 0; slot < group.Length; slot++) results[group[slot]] = [.. continuations[slot]];
        }
        return results;
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

/// <summary>A group of prompts on their way through the engine.</summary>
internal sealed class DecoderGroup(Session session, int[][] prompts, GenerationOptions options, IEnumerable<ulong> seeds)
{
    /// <summary>Where the engine finds them, whatever is collected meanwhile.</summary>
    private readonly ulong[] pinnedSeeds = Pinned([.. seeds]);

    private readonly List<int>[] continuations = [.. prompts.Select(static _ => new List<int>())];

    private unsafe NativeSampling Sampling => new()
    {
        StructSize = (uint)Unsafe.SizeOf<NativeSampling>(),
        Temperature = options.Temperature,
        TopK = options.TopK,
        TopP = options.TopP,
        RepetitionPenalty = options.RepetitionPenalty,
        Seeds = (ulong*)Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(pinnedSeeds)),
    };

    /// <summary>All continuations of the group; <paramref name="onToken"/> is told of each token, with its slot and whether it is the last.</summary>
    public List<int>[] Generate(Action<int, int, bool> onToken, CancellationToken cancellation)
    {
        int[] samples = [.. Enumerable.Range(0, prompts.Length)];
        int[] tokens = Begin(cancellation);
        while (true)
        {
            (samples, tokens) = Append(samples, tokens, onToken);
            if (samples.Length == 0) return continuations;
            int[] next = new int[samples.Length];
            session.RunPass(
                () => NativeMethods.DecodeNext(session.Handle, samples.Length, samples, tokens, Sampling, next), cancellation);
            tokens = next;
        }
    }

    private static ulong[] Pinned(ulong[] numbers)
    {
        ulong[] pinned = GC.AllocateUninitializedArray<ulong>(numbers.Length, pinned: true);
        numbers.CopyTo(pinned, 0);
        return pinned;
    }

    private int[] Begin(CancellationToken cancellation)
    {
        int[] tokens = new int[prompts.Length];
        Session.WithNativeBatch(Batch.OfPrompts(prompts), (in NativeBatch batch) =>
        {
            NativeBatch given = batch;
            session.RunPass(() => NativeMethods.DecodeBegin(session.Handle, given, Sampling, tokens), cancellation);
        });
        return tokens;
    }

    /// <summary>Appends a token to each sample, and gives the samples that go on, with their tokens.</summary>
    private (int[] Samples, int[] Tokens) Append(int[] samples, int[] tokens, Action<int, int, bool> onToken)
    {
        var active = new List<int>(samples.Length);
        for (int i = 0; i < samples.Length; i++)
        {
            List<int> continuation = continuations[samples[i]];
            continuation.Add(tokens[i]);
            bool isLast = continuation.Count == options.MaxNewTokens || options.EndIds.Contains(tokens[i]);
            if (!isLast) active.Add(i);
            onToken(samples[i], tokens[i], isLast);
        }
        return ([.. active.Select(i => samples[i])], [.. active.Select(i => tokens[i])]);
    }
}
