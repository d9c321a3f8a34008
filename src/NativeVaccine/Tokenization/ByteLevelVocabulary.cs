using System.Globalization;
using System.Text;
using NativeVaccine.IO;

namespace NativeVaccine.Tokenization;

/// <summary>
/// A byte-level vocabulary in the order in which its tokens are merged. Ids need not follow that order; ranks do.
/// </summary>
internal sealed class ByteLevelVocabulary
{
    private readonly Dictionary<int, byte[]> bytesById;
    private readonly List<int> idsByRank;

    private ByteLevelVocabulary(Dictionary<int, byte[]> bytesById, List<int> idsByRank)
    {
        this.bytesById = bytesById;
        this.idsByRank = idsByRank;
    }

    /// <summary>The ids in merge order.</summary>
    public IReadOnlyList<int> IdsByRank => idsByRank;

    /// <summary>The bytes of each token.</summary>
    public IReadOnlyDictionary<int, byte[]> BytesById => bytesById;

    /// <summary>A vocabulary whose ids are in merge order, as in tiktoken's files.</summary>
    /// <exception cref="InputException">A byte has no token, or two tokens have the same bytes.</exception>
    public static ByteLevelVocabulary FromRanks(Dictionary<int, byte[]> bytesById, string source)
    {
        RequireDifferent(bytesById, source);
        RequireAllBytes(bytesById.Values, source);
        return new ByteLevelVocabulary(bytesById, [.. bytesById.Keys.Order()]);
    }

    /// <summary>
    /// A vocabulary with its merges, as in tokenizer.json and merges.txt. The bytes come first, then each merge's result in the order
    /// of the merges. Tokens that no merge makes can still be decoded; with <paramref name="ignoreMerges"/> they are also taken for a
    /// whole piece.
    /// </summary>
    /// <param name="idsByLetters">The tokens, spelled in <see cref="ByteAlphabet"/>.</param>
    /// <param name="merges">The pairs to merge, the first one first.</param>
    /// <param name="outside">Ids of added tokens: they never come out of text.</param>
    /// <param name="ignoreMerges">The field ignore_merges.</param>
    /// <param name="source">The file, for messages.</param>
    /// <exception cref="InputException">Something does not fit together.</exception>
    public static ByteLevelVocabulary FromMerges(
        Dictionary<string, int> idsByLetters,
        IEnumerable<(string Left, string Right)> merges,
        IReadOnlyCollection<int> outside,
        bool ignoreMerges,
        string source)
    {
        var bytesById = new Dictionary<int, byte[]>(idsByLetters.Count);
        foreach ((string letters, int id) in idsByLetters)
        {
            if (outside.Contains(id))
                continue;
            byte[] bytes = ByteAlphabet.Read(letters)
                ?? throw new InputException(
                    $"{source}: token '{InputText.Shorten(letters)}' is not spelled in byte letters: expected a byte-level vocabulary");
            if (!bytesById.TryAdd(id, bytes))
                throw new InputException($"{source}: two tokens have the id {id}: expected one");
        }

        RequireAllBytes(bytesById.Values, source);
        IEnumerable<int> order = bytesById.Where(token => token.Value.Length == 1).Select(token => token.Key).Order();
        order = order.Concat(MergeResults(idsByLetters, merges, bytesById, source));
        if (ignoreMerges)
            order = order.Concat(bytesById.Keys.Order());
        return new ByteLevelVocabulary(bytesById, [.. order.Distinct()]);
    }

    /// <summary>The vocabulary as a tiktoken file: a token's bytes in base64 and its rank, a line each.</summary>
    public MemoryStream ToTiktoken()
    {
        var text = new StringBuilder();
        for (int rank = 0; rank < idsByRank.Count; rank++)
            text.Append(CultureInfo.InvariantCulture, $"{Convert.ToBase64String(bytesById[idsByRank[rank]])} {rank}\n");
        return new MemoryStream(Encoding.ASCII.GetBytes(text.ToString()), writable: false);
    }

    private static IEnumerable<int> MergeResults(
        Dictionary<string, int> idsByLetters,
        IEnumerable<(string Left, string Right)> merges,
        Dictionary<int, byte[]> bytesById,
        string source)
    {
        foreach ((string left, string right) in merges)
        {
            if (!idsByLetters.TryGetValue(left + right, out int id) || !idsByLetters.ContainsKey(left) || !idsByLetters.ContainsKey(right))
            {
                string merge = InputText.Shorten($"{left} {right}");
                throw new InputException($"{source}: the merge '{merge}' needs a token that is not in the vocabulary");
            }

            if (bytesById.ContainsKey(id))
                yield return id;
        }
    }

    private static void RequireDifferent(Dictionary<int, byte[]> bytesById, string source)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach ((int id, byte[] bytes) in bytesById)
        {
            if (!seen.Add(ByteAlphabet.Spell(bytes)))
                throw new InputException($"{source}: token {id} has the same bytes as another: expected each once");
        }
    }

    private static void RequireAllBytes(IEnumerable<byte[]> tokens, string source)
    {
        bool[] seen = new bool[256];
        foreach (byte[] token in tokens)
        {
            if (token.Length == 1)
                seen[token[0]] = true;
        }

        int missing = Array.IndexOf(seen, false);
        if (missing >= 0)
            throw new InputException($"{source}: no token for byte 0x{missing:X2}: expected a byte-level vocabulary with all 256");
    }
}
