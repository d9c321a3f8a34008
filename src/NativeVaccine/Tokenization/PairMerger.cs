using System.Runtime.InteropServices;

namespace NativeVaccine.Tokenization;

/// <summary>
/// Merges neighbouring tokens by a list of pairs, as <c>BPE</c> of Hugging Face's tokenizers does: the pair that comes first in the list goes
/// first, of equals the left-most. O(n log n) for n symbols.
/// </summary>
internal sealed class PairMerger
{
    private readonly Dictionary<ulong, (int Rank, int Id)> _merges = [];

    /// <summary>Adds a pair; of equal ones the last counts.</summary>
    public void Add(int left, int right, int rank, int id) => _merges[Key(left, right)] = (rank, id);

    /// <summary>Appends what becomes of the tokens.</summary>
    public void Append(ReadOnlySpan<int> tokens, List<int> ids)
    {
        Symbol[] symbols = new Symbol[tokens.Length];
        // Smallest rank first, then left-most: both in one number.
        var queue = new PriorityQueue<(int At, int Id), ulong>();
        for (int at = 0; at < tokens.Length; at++)
            symbols[at] = new Symbol(tokens[at], at - 1, at + 1 < tokens.Length ? at + 1 : -1);
        for (int at = 0; at + 1 < tokens.Length; at++)
            Offer(symbols, at, queue);
        while (queue.TryDequeue(out (int At, int Id) pair, out _))
        {
            Symbol left = symbols[pair.At];
            // A pair is out of date if its left half is gone, or if what now stands there makes something else.
            if (left.Id < 0 || left.Next < 0 || !TryMerge(left.Id, symbols[left.Next].Id, out _, out int id) || id != pair.Id)
                continue;
            Symbol right = symbols[left.Next];
            symbols[left.Next] = right with { Id = -1 };
            symbols[pair.At] = left with { Id = id, Next = right.Next };
            if (right.Next >= 0)
                symbols[right.Next] = symbols[right.Next] with { Previous = pair.At };
            if (left.Previous >= 0)
                Offer(symbols, left.Previous, queue);
            Offer(symbols, pair.At, queue);
        }

        for (int at = symbols.Length > 0 ? 0 : -1; at >= 0; at = symbols[at].Next)
            ids.Add(symbols[at].Id);
    }

    private static ulong Key(int left, int right) => ((ulong)(uint)left << 32) | (uint)right;

    private bool TryMerge(int left, int right, out int rank, out int id)
    {
        bool found = _merges.TryGetValue(Key(left, right), out (int Rank, int Id) merge);
        (rank, id) = merge;
        return found;
    }

    private void Offer(Symbol[] symbols, int at, PriorityQueue<(int At, int Id), ulong> queue)
    {
        Symbol left = symbols[at];
        if (left.Next >= 0 && TryMerge(left.Id, symbols[left.Next].Id, out int rank, out int id))
            queue.Enqueue((at, id), ((ulong)(uint)rank << 32) | (uint)at);
    }

    /// <summary>A token with its neighbours; id -1 once it has been merged into the one before it.</summary>
    [StructLayout(LayoutKind.Auto)]
    private readonly record struct Symbol(int Id, int Previous, int Next);
}
