using System.Buffers;
using System.Runtime.InteropServices;
using System.Text;

namespace NativeVaccine.Tokenization;

/// <summary>
/// SentencePiece's BPE, as Llama-2 and Mistral use it: the text is cut into characters, and the neighbouring pair whose joint piece has the
/// highest score is joined, the left-most of equals first, until no pair makes a piece. What remains unknown is spelled in byte pieces.
/// </summary>
/// <remarks>
/// Written here because the .NET library breaks ties of the score right-most first, which changes about a tenth of all paragraphs.
/// </remarks>
public sealed class SentencePieceTokenizer : Tokenizer
{
    private const char EscapedSpace = '\u2581';

    private readonly SentencePieceModel model;
    private readonly SentencePieceMerger merger;
    private readonly bool prefixesEveryPart;

    internal SentencePieceTokenizer(SentencePieceModel model, TokenizerConfiguration configuration)
        : base(SpecialTokens.Resolve(
            configuration,
            text => FindSpecial(model, configuration, text),
            frame: null,
            model.BeginOfSequenceId,
            model.EndOfSequenceId,
            addsByDefault: true),
            new AddedVocabulary(configuration.AddedTokens, otherSpecials: SpecialPieces(model)))
    {
        this.model = model;
        merger = new SentencePieceMerger(model);
        prefixesEveryPart = configuration.IsLegacy;
        PutsSpaceFirst = configuration.PutsSpaceFirst ?? model.AddDummyPrefix;
        VocabularySize = Math.Max(model.Pieces.Count, configuration.AddedTokens.Keys.DefaultIfEmpty(-1).Max() + 1);
    }

    /// <inheritdoc/>
    public override int VocabularySize { get; }

    /// <summary>Whether text gets a leading space.</summary>
    internal bool PutsSpaceFirst { get; }

    /// <inheritdoc/>
    public override string Piece(int id)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(id);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(id, VocabularySize);
        if (id < model.Pieces.Count)
            return model.Pieces[id].Text;
        return Added(id)?.Text ?? "";
    }

    /// <inheritdoc/>
    public override string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = true)
    {
        var text = new StringBuilder();
        var bytes = new List<byte>();
        bool prefixSeen = !(PutsSpaceFirst || model.RemoveExtraWhitespaces);
        foreach (int id in ids)
        {
            PieceKind kind = (uint)id < (uint)model.Pieces.Count ? model.Pieces[id].Kind : PieceKind.Control;
            if (kind == PieceKind.Byte)
            {
                bytes.Add(model.ByteOf(model.Pieces[id].Text));
                prefixSeen = true;
                continue;
            }

            FlushBytes(bytes, text);
            if (kind is PieceKind.Control or PieceKind.Unknown)
                AppendSpecial(id, skipSpecialTokens, text);
            else
                AppendPiece(model.Pieces[id].Text, text, ref prefixSeen);
        }

        FlushBytes(bytes, text);
        return text.ToString();
    }

    private protected override void AppendTokens(string text, bool beginsText, List<int> ids, int most) =>
        merger.AppendTokens(Normalize(text, beginsText || prefixesEveryPart), ids, most);

    private static IEnumerable<(string Text, int Id)> SpecialPieces(SentencePieceModel model) =>
        model.Pieces.Index().Where(static pair => pair.Item.Kind is PieceKind.Control or PieceKind.Unknown).Select(static pair => (pair.Item.Text, pair.Index));

    private static int? FindSpecial(SentencePieceModel model, TokenizerConfiguration configuration, string text)
    {
        for (int id = 0; id < model.Pieces.Count; id++)
        {
            if (model.Pieces[id].Text == text)
                return id;
        }

        foreach ((int id, AddedToken token) in configuration.AddedTokens)
        {
            if (token.Text == text)
                return id;
        }

        return null;
    }

    private string Normalize(string text, bool mayPrefix)
    {
        if (model.RemoveExtraWhitespaces)
            text = string.Join(' ', text.Split(' ', StringSplitOptions.RemoveEmptyEntries));
        if (text.Length > 0 && PutsSpaceFirst && mayPrefix)
            text = ' ' + text;
        return model.EscapeWhitespaces ? text.Replace(' ', EscapedSpace) : text;
    }

    /// <summary>The space that stands before the first piece is the one that encoding put there.</summary>
    private static void AppendPiece(string piece, StringBuilder text, ref bool prefixSeen)
    {
        int begin = !prefixSeen && piece[0] == EscapedSpace ? 1 : 0;
        prefixSeen = true;
        text.Append(piece[begin..].Replace(EscapedSpace, ' '));
    }

    private void AppendSpecial(int id, bool skip, StringBuilder text)
    {
        AddedToken? added = Added(id);
        if (added is not null && !(skip && added.IsSpecial))
            text.Append(added.Text);
        else if (added is null && !skip && (uint)id < (uint)model.Pieces.Count)
            text.Append(model.Pieces[id].Text);
    }

    /// <summary>As SentencePiece does it: each byte that is no UTF-8 becomes a U+FFFD of its own.</summary>
    private static void FlushBytes(List<byte> bytes, StringBuilder text)
    {
        ReadOnlySpan<byte> rest = CollectionsMarshal.AsSpan(bytes);
        while (!rest.IsEmpty)
        {
            // An invalid sequence gives U+FFFD as its rune.
            bool valid = Rune.DecodeFromUtf8(rest, out Rune rune, out int length) == OperationStatus.Done;
            text.Append(rune.ToString());
            rest = rest[(valid ? length : 1)..];
        }

        bytes.Clear();
    }
}
