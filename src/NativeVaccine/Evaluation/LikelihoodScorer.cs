using NativeVaccine.Data;
using NativeVaccine.Engine;

namespace NativeVaccine.Evaluation;

/// <summary>
/// Log-likelihoods of continuations. What the requests of an item share is computed once as far as the engine can: continuations of one
/// token are all read from the logits behind their context, and equal ones are computed once. A continuation of several tokens takes a pass
/// over its context of its own, which those of one token ride along with.
/// </summary>
public sealed class LikelihoodScorer
{
    private readonly List<Sequence> sequences = [];
    private readonly SequencePacking packing;
    private readonly int[] counts;

    /// <summary>Lays out the passes; nothing is computed yet.</summary>
    /// <param name="items">The requests of each item.</param>
    /// <param name="shares">False to give every request a pass of its own, as a yardstick.</param>
    public LikelihoodScorer(IReadOnlyList<IReadOnlyList<LikelihoodRequest>> items, bool shares = true)
    {
        counts = [.. items.Select(static item => item.Count)];
        for (int item = 0; item < items.Count; item++)
        {
            if (shares) AddShared(item, items[item]);
            else sequences.AddRange(items[item].Select((request, index) => Sequence.With(request, [new Place(item, index)])));
        }
        packing = new SequencePacking([.. sequences.Select(static sequence => sequence.Sample.InputIds.Length)]);
    }

    /// <summary>Tokens that go through the model.</summary>
    public long TokenCount => packing.TokenCount;

    /// <summary>What a session must have room for.</summary>
    /// <param name="tokens">At most so many tokens go through the model at a time, if the longest sequence has no more.</param>
    /// <exception cref="InputException">A sequence is longer than the engine takes.</exception>
    public SessionOptions Room(int tokens) => packing.Room(tokens);

    /// <summary>Computes them.</summary>
    /// <param name="session">With the model's weights, and <see cref="Room"/>.</param>
    /// <param name="progress">Told the part that is done, from 0 to 1.</param>
    /// <param name="cancellation">Ends it early.</param>
    /// <returns>For each item the log-likelihood of each request, in nats.</returns>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public double[][] Score(Session session, IProgress<double>? progress = null, CancellationToken cancellation = default)
    {
        double[][] results = [.. counts.Select(static count => new double[count])];
        float[] logits = new float[session.Configuration.VocabularySize];
        (long done, long all) = (0, TokenCount);
        foreach (int[] indices in packing.Groups(session.Plan.Options))
        {
            Sequence[] group = [.. indices.Select(index => sequences[index])];
            session.Forward(
                new Batch([.. group.Select(static sequence => sequence.Sample)]), new ForwardOptions { ForBackward = false }, cancellation);
            ReadOnlySpan<float> losses = session.ReadLosses();
            int row = 0;
            foreach (Sequence sequence in group)
            {
                sequence.TakeLosses(losses[..sequence.Sample.LabelCount], results);
                losses = losses[sequence.Sample.LabelCount..];
            }
            foreach (Sequence sequence in group)
            {
                if (sequence.NextTokens.Count > 0)
                {
                    session.ReadLogits(row + sequence.ContextLength - 1, 1, logits);
                    sequence.TakeLogits(logits, results);
                }
                row += sequence.Sample.InputIds.Length;
            }
            progress?.Report((double)(done += row) / all);
        }
        return results;
    }

    /// <summary>ln of the sum of exp of logits, in fp64.</summary>
    internal static double LogSumExp(ReadOnlySpan<float> logits)
    {
        double largest = float.NegativeInfinity, sum = 0;
        foreach (float logit in logits) largest = Math.Max(largest, logit);
        foreach (float logit in logits) sum += Math.Exp(logit - largest);
        return largest + Math.Log(sum);
    }

    private void AddShared(int item, IReadOnlyList<LikelihoodRequest> requests)
    {
        IEnumerable<(LikelihoodRequest Request, Place Place)> placed = requests.Select((request, index) => (request, new Place(item, index)));
        foreach (var ofContext in placed.GroupBy(static one => one.Request.Context, SameTokens.Comparer))
        {
            var longer = ofContext.Where(static one => one.Request.Continuation.Length > 1)
                .GroupBy(static one => one.Request.Continuation, SameTokens.Comparer)
                .Select(static same => Sequence.With(same.First().Request, [.. same.Select(static one => one.Place)])).ToList();
            var single = ofContext.Where(static one => one.Request.Continuation.Length == 1)
                .Select(static one => (one.Request.Continuation[0], one.Place)).ToList();
            if (longer.Count == 0) longer.Add(Sequence.Of(ofContext.Key));
            longer[0].NextTokens.AddRange(single);
            sequences.AddRange(longer);
        }
    }

    private readonly record struct Place(int Item, int Request);

    /// <summary>A context, or one with a continuation, on its way through the model.</summary>
    private sealed record Sequence(Sample Sample, int ContextLength, IReadOnlyList<Place> Labelled)
    {
        /// <summary>Tokens whose probability right behind the context is asked for.</summary>
        public List<(int Id, Place Place)> NextTokens { get; } = [];

        public static Sequence Of(int[] context) =>
            new(new Sample(context, [.. Enumerable.Repeat(Sample.IgnoredLabel, context.Length)]), context.Length, []);

        public static Sequence With(LikelihoodRequest request, IReadOnlyList<Place> places) => new(
            new Sample(
                [.. request.Context, .. request.Continuation],
                [.. Enumerable.Repeat(Sample.IgnoredLabel, request.Context.Length), .. request.Continuation]),
            request.Context.Length,
            places);

        public void TakeLosses(ReadOnlySpan<float> losses, double[][] results)
        {
            double sum = 0;
            foreach (float loss in losses) sum -= loss;
            foreach (Place place in Labelled) results[place.Item][place.Request] = sum;
        }

        public void TakeLogits(ReadOnlySpan<float> logits, double[][] results)
        {
            double all = LogSumExp(logits);
            foreach ((int id, Place place) in NextTokens) results[place.Item][place.Request] = logits[id] - all;
        }
    }

    private sealed class SameTokens : IEqualityComparer<int[]>
    {
        public static SameTokens Comparer { get; } = new();

        public bool Equals(int[]? x, int[]? y) => ReferenceEquals(x, y) || (x is not null && y is not null && x.AsSpan().SequenceEqual(y));

        public int GetHashCode(int[] ids)
        {
            var hash = new HashCode();
            hash.AddBytes(System.Runtime.InteropServices.MemoryMarshal.AsBytes<int>(ids));
            return hash.ToHashCode();
        }
    }
}
