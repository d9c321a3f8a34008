using NativeVaccine.Data;
using NativeVaccine.Engine;

namespace NativeVaccine.Evaluation;

/// <summary>
/// Log-likelihoods of continuations. What texts begin with alike goes through the model once: the items are dealt to a few texts of the KV
/// cache, one after another, and of each only what differs from the one before it is read. Continuations of one token take no tokens at all:
/// they are read from the logits behind their context.
/// </summary>
public sealed class LikelihoodScorer
{
    /// <summary>More texts side by side make larger matrix products, but each reads the shots once more.</summary>
    private const int MostTexts = 8;

    private const int LeastItemsOfAText = 4;

    private readonly List<Sequence> sequences = [];
    private readonly int[] counts;
    private List<Piece[]> steps;

    /// <summary>Lays out the passes; nothing is computed yet.</summary>
    /// <param name="items">The requests of each item; items whose contexts begin alike should be neighbours.</param>
    public LikelihoodScorer(IReadOnlyList<IReadOnlyList<LikelihoodRequest>> items)
    {
        counts = [.. items.Select(static item => item.Count)];
        for (int item = 0; item < items.Count; item++) Add(item, items[item]);
        Texts = Math.Clamp(items.Count / LeastItemsOfAText, 1, MostTexts);
        steps = LayOut(Texts);
    }

    /// <summary>How many texts of the cache are worth it.</summary>
    public int Texts { get; }

    /// <summary>Tokens that go through the model.</summary>
    public long TokenCount => steps.Sum(static step => step.Sum(static piece => (long)piece.Ids.Length));

    /// <summary>What a session must have room for.</summary>
    /// <param name="texts">At most so many texts of the cache; the passes are laid out for them.</param>
    /// <exception cref="InputException">A pass has more tokens than the engine takes.</exception>
    public SessionOptions Room(int texts)
    {
        steps = LayOut(texts);
        return new SessionOptions
        {
            MaxTokens = Batch.RequireTokens(steps.Max(static step => step.Sum(static piece => (long)piece.Ids.Length))),
            MaxSamples = texts,
            LongestSample = steps.Max(static step => step.Max(static piece => piece.Ids.Length)),
            DecodeSamples = texts,
            DecodeCapacity = sequences.Max(static sequence => sequence.Ids.Length),
        };
    }

    /// <summary>Computes them.</summary>
    /// <param name="session">With the model's weights, and the last <see cref="Room"/>.</param>
    /// <param name="progress">Told the part that is done, from 0 to 1.</param>
    /// <param name="finished">Told of each item that is done, and the log-likelihoods of its requests.</param>
    /// <param name="cancellation">Ends it early.</param>
    /// <returns>For each item the log-likelihood of each request, in nats.</returns>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public double[][] Score(
        Session session,
        IProgress<double>? progress = null,
        Action<int, double[]>? finished = null,
        CancellationToken cancellation = default)
    {
        int[] left = new int[counts.Length];
        foreach (Sequence sequence in sequences) left[sequence.Item]++;
        double[][] results = [.. counts.Select(static count => new double[count])];
        float[] logits = new float[session.Configuration.VocabularySize];
        (long done, long all) = (0, TokenCount);
        foreach (Piece[] step in steps)
        {
            session.Extend(
                new Batch([.. step.Select(static piece => piece.Sample)]),
                [.. step.Select(static piece => piece.Text)],
                [.. step.Select(static piece => piece.Start)],
                cancellation);
            ReadOnlySpan<float> losses = session.ReadLosses();
            foreach (Piece piece in step)
            {
                int labels = piece.Sample.LabelCount;
                piece.Sequence.TakeLosses(losses[..labels], results);
                losses = losses[labels..];
            }
            int row = 0;
            foreach (Piece piece in step)
            {
                if (piece.Sequence.NextTokens.Count > 0)
                {
                    session.ReadLogits(row + piece.Sequence.ContextLength - 1 - piece.Start, 1, logits);
                    piece.Sequence.TakeLogits(logits, results);
                }
                row += piece.Ids.Length;
                int item = piece.Sequence.Item;
                if (--left[item] == 0) finished?.Invoke(item, results[item]);
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

    private void Add(int item, IReadOnlyList<LikelihoodRequest> requests)
    {
        IEnumerable<(LikelihoodRequest Request, Place Place)> placed = requests.Select((request, index) => (request, new Place(item, index)));
        foreach (var ofContext in placed.GroupBy(static one => one.Request.Context, SameTokens.Comparer))
        {
            var longer = ofContext.Where(static one => one.Request.Continuation.Length > 1)
                .GroupBy(static one => one.Request.Continuation, SameTokens.Comparer)
                .Select(same => new Sequence(item, ofContext.Key, same.Key, [.. same.Select(static one => one.Place)])).ToList();
            if (longer.Count == 0) longer.Add(new Sequence(item, ofContext.Key, [], []));
            longer[0].NextTokens.AddRange(ofContext.Where(static one => one.Request.Continuation.Length == 1)
                .Select(static one => (one.Request.Continuation[0], one.Place)));
            sequences.AddRange(longer);
        }
    }

    /// <summary>Deals the items to texts, in runs of neighbours; a step reads the next sequence of each text.</summary>
    private List<Piece[]> LayOut(int texts)
    {
        Piece[][] ofText = [.. sequences.GroupBy(sequence => sequence.Item * texts / counts.Length)
            .Select(static (run, text) => Pieces([.. run], text).ToArray())];
        return [.. Enumerable.Range(0, ofText.Max(static pieces => pieces.Length))
            .Select(step => ofText.Where(pieces => step < pieces.Length).Select(pieces => pieces[step]).ToArray())];
    }

    private static IEnumerable<Piece> Pieces(Sequence[] run, int text)
    {
        ReadOnlyMemory<int> cached = default;
        foreach (Sequence sequence in run)
        {
            // The logits behind the context's last token are wanted, so that token is read again in any case.
            int start = Math.Min(cached.Span.CommonPrefixLength(sequence.Ids), sequence.ContextLength - 1);
            yield return new Piece(sequence, text, start);
            cached = sequence.Ids;
        }
    }

    private readonly record struct Place(int Item, int Request);

    /// <summary>What of a sequence is not in the cache yet.</summary>
    private sealed record Piece(Sequence Sequence, int Text, int Start)
    {
        public int[] Ids { get; } = Sequence.Ids[Start..];

        public Sample Sample => new(Ids, Sequence.Labels[Start..]);
    }

    /// <summary>A context, or one with a continuation of several tokens.</summary>
    private sealed class Sequence(int item, int[] context, int[] continuation, IReadOnlyList<Place> places)
    {
        public int Item { get; } = item;

        public int[] Ids { get; } = [.. context, .. continuation];

        public int[] Labels => [.. Enumerable.Repeat(Sample.IgnoredLabel, ContextLength), .. continuation];

        public int ContextLength { get; } = context.Length;

        /// <summary>Tokens whose probability right behind the context is asked for.</summary>
        public List<(int Id, Place Place)> NextTokens { get; } = [];

        public void TakeLosses(ReadOnlySpan<float> losses, double[][] results)
        {
            double sum = 0;
            foreach (float loss in losses) sum -= loss;
            foreach (Place place in places) results[place.Item][place.Request] = sum;
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
