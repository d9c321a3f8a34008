namespace NativeVaccine.Engine;

/// <summary>Sequences of unequal lengths in groups that go through the model at a time, shortest first, without padding.</summary>
/// <param name="lengths">Tokens of each sequence.</param>
internal sealed class SequencePacking(IReadOnlyList<int> lengths)
{
    private readonly int[] order = [.. Enumerable.Range(0, lengths.Count).OrderBy(index => lengths[index])];

    /// <summary>Tokens of all sequences.</summary>
    public long TokenCount => lengths.Sum(static length => (long)length);

    /// <summary>What a session must have room for.</summary>
    /// <param name="tokens">At most so many tokens go through the model at a time, if the longest sequence has no more.</param>
    /// <exception cref="InputException">A sequence is longer than the engine takes.</exception>
    public SessionOptions Room(int tokens)
    {
        int longest = lengths[order[^1]], shortest = lengths[order[0]];
        return new SessionOptions
        {
            MaxTokens = Batch.RequireTokens(Math.Max(longest, Math.Min(tokens, TokenCount))),
            MaxSamples = Math.Clamp(tokens / shortest, 1, lengths.Count),
            LongestSample = longest,
        };
    }

    /// <summary>The sequences' indices in groups for which there is room.</summary>
    public IEnumerable<int[]> Groups(SessionOptions limits) =>
        Groups(order, index => lengths[index], limits.MaxSamples, limits.MaxTokens);

    /// <summary>Indices of sequences, shortest sequences first, in groups of at most so many; a sequence too long for a group has one alone.</summary>
    /// <param name="indices">The sequences.</param>
    /// <param name="lengthOf">Tokens of one.</param>
    /// <param name="mostSamples">Sequences of a group.</param>
    /// <param name="mostTokens">Tokens of a group.</param>
    public static IEnumerable<int[]> Groups(IEnumerable<int> indices, Func<int, int> lengthOf, int mostSamples, int mostTokens)
    {
        var group = new List<int>();
        int tokens = 0;
        foreach (int index in indices.OrderBy(lengthOf))
        {
            if (group.Count > 0 && (group.Count == mostSamples || tokens + lengthOf(index) > mostTokens))
            {
                yield return [.. group];
                group.Clear();
                tokens = 0;
            }
            group.Add(index);
            tokens += lengthOf(index);
        }
        if (group.Count > 0) yield return [.. group];
    }
}
