using NativeVaccine.Engine;

namespace NativeVaccine.Evaluation;

/// <summary>The logits behind the last token of sequences, many of which go through the model at a time.</summary>
/// <param name="sequences">Token ids; none is empty.</param>
public sealed class LastLogits(IReadOnlyList<int[]> sequences)
{
    private readonly SequencePacking packing = new([.. sequences.Select(static sequence => sequence.Length)]);

    /// <summary>What a session must have room for.</summary>
    /// <param name="tokens">At most so many tokens go through the model at a time, if the longest sequence has no more.</param>
    /// <exception cref="InputException">A sequence is longer than the engine takes.</exception>
    public SessionOptions Room(int tokens) => packing.Room(tokens);

    /// <summary>Computes them.</summary>
    /// <param name="session">With the model's weights, and <see cref="Room"/>.</param>
    /// <param name="take">Given each sequence's index with its logits, in whatever order; the array is used again.</param>
    /// <param name="progress">Told the part that is done, from 0 to 1.</param>
    /// <param name="cancellation">Ends it early.</param>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public void Read(
        Session session, Action<int, float[]> take, IProgress<double>? progress = null, CancellationToken cancellation = default)
    {
        float[] logits = new float[session.Configuration.VocabularySize];
        long done = 0;
        foreach (int[] group in packing.Groups(session.Plan.Options))
        {
            session.Forward(
                Batch.OfPrompts([.. group.Select(index => sequences[index])]), new ForwardOptions { ForBackward = false }, cancellation);
            int end = 0;
            foreach (int index in group)
            {
                end += sequences[index].Length;
                session.ReadLogits(end - 1, 1, logits);
                take(index, logits);
            }
            progress?.Report((double)(done += end) / packing.TokenCount);
        }
    }
}
