using System.Runtime.InteropServices;

namespace NativeVaccine.Tokenization;

/// <summary>
/// Merges neighbouring tokens by a list of pairs, as <c>BPE</c> of Hugging Face's tokenizers does: the pair that comes first in the list goes
/// first, of equals the left-most. O(n log n) for n symbols.
/// </summary>
/// <remarks>
/// Nothing is ever merged across two symbols of which the first ends, and the second begins, no two tokens that are merged. What lies
/// between such places (words, mostly) is merged by itself, with the same result, and need not be merged where it is not wanted.
/// </remarks>
internal sealed class PairMerger
{
    private readonly Dictionary<ulong, (int Rank, int Id)> merges = [];
    private readonly Lazy<HashSet<ulong>?> neighbours;
    private readonly HashSet<int> symbols;

    /// <summary>A merger without merges.</summary>
    /// <param name="symbols">Tokens of more than one character with which merging may begin.</param>
    public PairMerger(IEnumerable<int> symbols)
    {
        this.symbols = [.. symbols];
        neighbours = new Lazy<HashSet<ulong>?>(FindNeighbours);
    }

    /// <summary>Adds a pair; of equal ones the last counts. All are added before the first call of <see cref="Append"/>.</summary>
    public void Add(int left, int right, int rank, int id) => merges[Key(left, right)] = (rank, id);

    /// <summary>Appends what becomes of the tokens; once there are <paramref name="most"/>, the rest may be left out.</summary>
    public void Append(ReadOnlySpan<int> tokens, List<int> ids, int most = int.MaxValue)
    {
        HashSet<ulong>? neighbours = this.neighbours.Value;
        for (int begin = 0; begin < tokens.Length && ids.Count < most;)
        {
            int end = begin + 1;
            while (end < tokens.Length && neighbours?.Contains(Key(tokens[end - 1], tokens[end])) != false)
                end++;
            AppendSegment(tokens[begin..end], ids);
            begin = end;
        }
    }

    /// <summary>
    /// The pairs of symbols that may come to lie within one token. Null, for any pair, where a token can begin or end with different symbols
    /// by the way in which it is made, or can itself be a symbol, as no vocabulary of characters has it.
    /// </summary>
    private HashSet<ulong>? FindNeighbours()
    {
        Dictionary<int, (int Left, int Right)> halves = [];
        foreach ((ulong key, (_, int id)) in merges)
        {
            (int left, int right) = Halves(key);
            if (id == left || id == right || symbols.Contains(id))
                return null;
            halves.TryAdd(id, (left, right));
        }

        var neighbours = new HashSet<ulong>();
        foreach ((ulong key, (_, int id)) in merges)
        {
            (int left, int right) = Halves(key);
            if (First(left) != First(id) || Last(right) != Last(id))
                return null;
            neighbours.Add(Key(Last(left), First(right)));
        }

        return neighbours;

        // Halves are shorter than the whole, so both come to an end.
        int First(int token)
        {
            while (halves.TryGetValue(token, out (int Left, int Right) of))
                token = of.Left;
            return token;
        }

        int Last(int token)
        {
            while (halves.TryGetValue(token, out (int Left, int Right) of))
                token = of.Right;
            return token;
        }
    }

    private static (int Left, int Right) Halves(ulong key) => ((int)(key >> 32), (int)(uint)key);

    private void AppendSegment(ReadOnlySpan<int> tokens, List<int> ids)
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
        bool found = merges.TryGetValue(Key(left, right), out (int Rank, int Id) merge);
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
