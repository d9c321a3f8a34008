using System.Text;
using NativeVaccine.IO;

namespace NativeVaccine.Tokenization;

/// <summary>
/// Joins characters to pieces: linked symbols and a heap of the pairs that make a piece, by score and then from the left. O(n log n) for
/// n characters.
/// </summary>
/// <remarks>
/// A piece is joined only of neighbours, so nothing is ever joined across two characters that stand side by side in no piece. What lies
/// between such places (words, mostly) is joined by itself, with the same result, and need not be joined where it is not wanted.
/// </remarks>
internal sealed class SentencePieceMerger
{
    private readonly SentencePieceModel model;
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> mergeable;
    private readonly HashSet<string>.AlternateLookup<ReadOnlySpan<char>> userDefined;
    private readonly HashSet<uint> neighbours = [];
    private readonly int longestPiece;
    private readonly int[] userDefinedLengths;

    /// <summary>A merger for the pieces of a model.</summary>
    /// <exception cref="InputException">A piece occurs twice.</exception>
    public SentencePieceMerger(SentencePieceModel model)
    {
        this.model = model;
        var mergeable = new Dictionary<string, int>(StringComparer.Ordinal);
        var userDefined = new HashSet<string>(StringComparer.Ordinal);
        for (int id = 0; id < model.Pieces.Count; id++)
        {
            (string text, _, PieceKind kind) = model.Pieces[id];
            if (kind is PieceKind.Control or PieceKind.Unknown or PieceKind.Byte)
                continue;
            if (!mergeable.TryAdd(text, id))
                throw new InputException($"{model.Source}: piece {id} '{InputText.Shorten(text)}' occurs twice: expected each once");
            longestPiece = Math.Max(longestPiece, text.Length);
            for (int at = 1; at < text.Length; at++)
                neighbours.Add(Neighbours(text, at));
            if (kind == PieceKind.UserDefined)
                userDefined.Add(text);
        }

        this.mergeable = mergeable.GetAlternateLookup<ReadOnlySpan<char>>();
        this.userDefined = userDefined.GetAlternateLookup<ReadOnlySpan<char>>();
        userDefinedLengths = [.. userDefined.Select(text => text.Length).Distinct().OrderDescending()];
    }

    /// <summary>Appends the ids of a normalized text; once there are <paramref name="most"/>, the rest may be left out.</summary>
    public void AppendTokens(string text, List<int> ids, int most = int.MaxValue)
    {
        bool previousUnknown = false;
        for (int begin = 0; begin < text.Length && ids.Count < most;)
        {
            int end = begin + 1;
            while (end < text.Length && (neighbours.Contains(Neighbours(text, end)) || char.IsSurrogatePair(text, end - 1)))
                end++;
            AppendSegment(text, begin, end, ids, ref previousUnknown);
            begin = end;
        }
    }

    /// <summary>The two characters on either side of a place.</summary>
    private static uint Neighbours(string text, int at) => ((uint)text[at - 1] << 16) | text[at];

    private void AppendSegment(string text, int begin, int end, List<int> ids, ref bool previousUnknown)
    {
        List<Symbol> symbols = Cut(text, begin, end);
        var queue = new PriorityQueue<Pair, (float Score, int Left)>(BestPairFirst.Instance);
        for (int left = 0; left + 1 < symbols.Count; left++)
            Offer(text, symbols, left, left + 1, queue);

        var halvesOfUnused = new Dictionary<(int Begin, int Length), int>();
        while (queue.TryDequeue(out Pair pair, out _))
        {
            Symbol left = symbols[pair.Left];
            Symbol right = symbols[pair.Right];
            // The pair is out of date if either side has been joined to something since.
            if (left.Length == 0 || right.Length == 0 || left.Length + right.Length != pair.Length)
                continue;
            if (model.Pieces[pair.Id].Kind == PieceKind.Unused)
                halvesOfUnused[(left.Begin, pair.Length)] = left.Length;
            symbols[pair.Left] = left with { Length = pair.Length, Next = right.Next };
            symbols[pair.Right] = right with { Length = 0 };
            if (right.Next >= 0)
            {
                symbols[right.Next] = symbols[right.Next] with { Previous = pair.Left };
                Offer(text, symbols, pair.Left, right.Next, queue);
            }

            if (left.Previous >= 0)
                Offer(text, symbols, left.Previous, pair.Left, queue);
        }

        for (int symbol = symbols.Count > 0 ? 0 : -1; symbol >= 0; symbol = symbols[symbol].Next)
            Emit(text, symbols[symbol].Begin, symbols[symbol].Length, halvesOfUnused, ids, ref previousUnknown);
    }

    /// <summary>A run of characters with its neighbours; length 0 once it has been joined to the one before it.</summary>
    private readonly record struct Symbol(int Begin, int Length, int Previous, int Next, bool IsFrozen);

    /// <summary>Two neighbours that make the piece <paramref name="Id"/>, with the length they had together when they were found.</summary>
    private readonly record struct Pair(int Left, int Right, int Length, int Id);

    private List<Symbol> Cut(string text, int begin, int end)
    {
        var symbols = new List<Symbol>(end - begin);
        while (begin < end)
        {
            int userDefined = UserDefinedLength(text.AsSpan(begin));
            int length = userDefined > 0 ? userDefined : char.IsSurrogatePair(text, begin) ? 2 : 1;
            int index = symbols.Count;
            begin += length;
            symbols.Add(new Symbol(begin - length, length, index - 1, begin < end ? index + 1 : -1, userDefined > 0));
        }

        return symbols;
    }

    /// <summary>The length of the longest user-defined piece with which the text begins; 0 for none.</summary>
    private int UserDefinedLength(ReadOnlySpan<char> text)
    {
        foreach (int length in userDefinedLengths)
        {
            if (length <= text.Length && userDefined.Contains(text[..length]))
                return length;
        }

        return 0;
    }

    private void Offer(string text, List<Symbol> symbols, int left, int right, PriorityQueue<Pair, (float Score, int Left)> queue)
    {
        (Symbol first, Symbol second) = (symbols[left], symbols[right]);
        int length = first.Length + second.Length;
        if (first.IsFrozen || second.IsFrozen || length > longestPiece)
            return;
        if (mergeable.TryGetValue(text.AsSpan(first.Begin, length), out int id))
            queue.Enqueue(new Pair(left, right, length, id), (model.Pieces[id].Score, left));
    }

    /// <summary>
    /// The id of a symbol: its piece, byte pieces, or the unknown (once for a run of unknowns). An unused piece is taken apart again into
    /// the two it was joined from.
    /// </summary>
    private void Emit(
        string text,
        int begin,
        int length,
        Dictionary<(int Begin, int Length), int> halvesOfUnused,
        List<int> ids,
        ref bool previousUnknown)
    {
        if (halvesOfUnused.TryGetValue((begin, length), out int leftLength))
        {
            Emit(text, begin, leftLength, halvesOfUnused, ids, ref previousUnknown);
            Emit(text, begin + leftLength, length - leftLength, halvesOfUnused, ids, ref previousUnknown);
        }
        else if (mergeable.TryGetValue(text.AsSpan(begin, length), out int id))
        {
            ids.Add(id);
            previousUnknown = false;
        }
        else if (model.ByteIds is { } byteIds)
        {
            foreach (byte value in Encoding.UTF8.GetBytes(text, begin, length))
                ids.Add(byteIds[value]);
        }
        else
        {
            if (!previousUnknown)
                ids.Add(model.UnknownId);
            previousUnknown = true;
        }
    }

    private sealed class BestPairFirst : IComparer<(float Score, int Left)>
    {
        public static BestPairFirst Instance { get; } = new();

        public int Compare((float Score, int Left) x, (float Score, int Left) y)
        {
            int byScore = y.Score.CompareTo(x.Score);
            return byScore != 0 ? byScore : x.Left.CompareTo(y.Left);
        }
    }
}
