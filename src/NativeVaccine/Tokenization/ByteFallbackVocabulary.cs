using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using NativeVaccine.IO;

namespace NativeVaccine.Tokenization;

/// <summary>
/// A vocabulary of pieces with merges and byte fallback: SentencePiece's BPE as tokenizer.json describes it. A character that is no piece is
/// spelled in the pieces <c>&lt;0x00&gt;</c> to <c>&lt;0xFF&gt;</c>.
/// </summary>
internal sealed class ByteFallbackVocabulary
{
    private readonly Dictionary<string, int> ids;
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> lookup;
    private readonly Dictionary<int, string> pieces;
    private readonly PairMerger merger;
    private readonly int[] byteIds;
    private readonly bool ignoresMerges;

    /// <summary>A vocabulary.</summary>
    /// <param name="ids">The pieces.</param>
    /// <param name="merges">The pairs to merge, the first one first.</param>
    /// <param name="ignoresMerges">The field ignore_merges: a text that is a piece is that piece.</param>
    /// <param name="source">The file, for messages.</param>
    /// <exception cref="InputException">Something does not fit together.</exception>
    public ByteFallbackVocabulary(
        Dictionary<string, int> ids, IEnumerable<(string Left, string Right)> merges, bool ignoresMerges, string source)
    {
        this.ids = ids;
        lookup = ids.GetAlternateLookup<ReadOnlySpan<char>>();
        this.ignoresMerges = ignoresMerges;
        pieces = new Dictionary<int, string>(ids.Count);
        foreach ((string piece, int id) in ids)
        {
            if (!pieces.TryAdd(id, piece))
                throw new InputException($"{source}: two tokens have the id {id}: expected one");
        }

        byteIds = [.. Enumerable.Range(0, 256).Select(value => ids.TryGetValue(Spell((byte)value), out int id)
            ? id
            : throw new InputException($"{source}: byte_fallback without a token {Spell((byte)value)}: expected all 256"))];
        merger = new PairMerger(byteIds);
        int rank = 0;
        foreach ((string left, string right) in merges)
        {
            if (!ids.TryGetValue(left, out int leftId) || !ids.TryGetValue(right, out int rightId) || !ids.TryGetValue(left + right, out int id))
            {
                string merge = InputText.Shorten($"{left} {right}");
                throw new InputException($"{source}: the merge '{merge}' needs a token that is not in the vocabulary");
            }

            merger.Add(leftId, rightId, rank++, id);
        }
    }

    /// <summary>The pieces by id.</summary>
    public IReadOnlyDictionary<int, string> Pieces => pieces;

    /// <summary>The id of a piece; null if there is none.</summary>
    public int? IdOf(string piece) => ids.TryGetValue(piece, out int id) ? id : null;

    /// <summary>The byte that a piece such as <c>&lt;0x41&gt;</c> stands for; null if it is none.</summary>
    public static byte? ByteOf(string piece) =>
        piece.Length == 6 && piece.StartsWith("<0x", StringComparison.Ordinal) && piece[5] == '>'
            && byte.TryParse(piece.AsSpan(3, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out byte value)
            ? value
            : null;

    /// <summary>Appends the tokens of a text; once there are <paramref name="most"/>, the rest may be left out.</summary>
    public void AppendTokens(string text, List<int> ids, int most = int.MaxValue)
    {
        if (ignoresMerges && this.ids.TryGetValue(text, out int whole))
        {
            ids.Add(whole);
            return;
        }

        var symbols = new List<int>(text.Length);
        Span<byte> utf8 = stackalloc byte[4];
        for (int at = 0; at < text.Length;)
        {
            Rune.DecodeFromUtf16(text.AsSpan(at), out Rune rune, out int length);
            if (lookup.TryGetValue(text.AsSpan(at, length), out int id))
            {
                symbols.Add(id);
            }
            else
            {
                int count = rune.EncodeToUtf8(utf8);
                foreach (byte value in utf8[..count])
                    symbols.Add(byteIds[value]);
            }

            at += length;
        }

        merger.Append(CollectionsMarshal.AsSpan(symbols), ids, most);
    }

    private static string Spell(byte value) => string.Create(CultureInfo.InvariantCulture, $"<0x{value:X2}>");
}
