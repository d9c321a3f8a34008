using System.Text;
using NativeVaccine.IO;

namespace NativeVaccine.Tokenization;

/// <summary>
/// Turns text into token ids and back. Text is data: special tokens are never recognised in it, so nobody can end a sequence or open
/// another by writing <c>&lt;/s&gt;</c>; added tokens that are not special are found as Hugging Face finds them. Safe for use by several
/// threads at once.
/// </summary>
public abstract class Tokenizer
{
    private readonly SpecialTokens specialTokens;
    private readonly AddedVocabulary added;
    private int rows = int.MaxValue;

    private protected Tokenizer(SpecialTokens specialTokens, AddedVocabulary added) => (this.specialTokens, this.added) = (specialTokens, added);

    /// <summary>One more than the largest token id.</summary>
    public abstract int VocabularySize { get; }

    /// <summary>The token that opens a sequence, if there is one.</summary>
    public int? BeginOfSequenceId => specialTokens.BeginOfSequenceId;

    /// <summary>True if <see cref="Encode"/> puts <see cref="BeginOfSequenceId"/> first.</summary>
    public bool AddsBeginOfSequence => specialTokens.AddsBeginOfSequence;

    /// <summary>
    /// The token that the folder's own tokenizer would put after a text, which <see cref="Encode"/> leaves open; null for none, which is
    /// usual.
    /// </summary>
    public int? ClosingId => specialTokens.ClosingId;

    /// <summary>
    /// The token that closes a training sequence: the tokenizer's own end token, or else config.json's; null if there is none.
    /// </summary>
    public int? EndOfSequenceId => specialTokens.EndOfSequenceId;

    /// <summary>The text of <see cref="EndOfSequenceId"/>, or empty.</summary>
    public string EndOfSequenceText => EndOfSequenceId is { } id ? Piece(id) : "";

    /// <summary>The tokenizer of a model folder: tokenizer.model, tokenizer.json, or vocab.json with merges.txt.</summary>
    /// <param name="modelFolder">The folder; weights and a whole config.json are not needed.</param>
    /// <param name="notice">Told in a line what a user should know.</param>
    /// <exception cref="InputException">There is none, or it cannot be used.</exception>
    public static Tokenizer Load(string modelFolder, Action<string>? notice = null) =>
        TryLoad(modelFolder, notice) ?? throw TokenizerFolder.None(modelFolder);

    /// <summary>As <see cref="Load"/>; null if the folder has none.</summary>
    /// <exception cref="InputException">It cannot be used.</exception>
    public static Tokenizer? TryLoad(string modelFolder, Action<string>? notice = null) => TokenizerFolder.TryLoad(modelFolder, notice);

    /// <summary>
    /// The tokenizer for a model: that of its folder, which must fit; where the folder has none and the vocabulary is large enough, the
    /// built-in one.
    /// </summary>
    /// <param name="modelFolder">The folder.</param>
    /// <param name="vocabularySize">Rows of the model's embedding.</param>
    /// <param name="notice">Told in a line what a user should know.</param>
    /// <exception cref="InputException">There is none, or it cannot be used for this model.</exception>
    public static Tokenizer LoadFor(string modelFolder, int vocabularySize, Action<string>? notice = null)
    {
        if (TokenizerFolder.TryLoad(modelFolder, notice) is { } own)
        {
            own.Fit(vocabularySize, notice);
            return own;
        }
        Tokenizer builtIn = BuiltIn();
        if (builtIn.VocabularySize > vocabularySize)
        {
            throw TokenizerFolder.None(
                modelFolder, $" (the built-in one has {builtIn.VocabularySize} tokens, the model's vocabulary only {vocabularySize} rows)");
        }
        notice?.Invoke(
            $"{modelFolder}: no tokenizer; using the built-in one of GPT-2 (r50k, {builtIn.VocabularySize} tokens), "
            + "which is right only if the model was made with it");
        return builtIn;
    }

    /// <summary>
    /// The tokenizer of GPT-2 (r50k), for models that bring none. It adds no special tokens; <c>&lt;|endoftext|&gt;</c> ends a sequence.
    /// </summary>
    public static Tokenizer BuiltIn() => TiktokenFile.BuiltIn();

    /// <summary>The tokens of a text.</summary>
    /// <param name="text">Any text; halves of surrogate pairs become U+FFFD.</param>
    /// <param name="addSpecialTokens">Opens the sequence as the model folder's own tokenizer would; it is never closed.</param>
    /// <param name="most">Only the first so many of all tokens are wanted, and the rest of the text is not looked at.</param>
    /// <exception cref="InputException">The text holds an added token for which the model has no row.</exception>
    public int[] Encode(string text, bool addSpecialTokens = true, int most = int.MaxValue)
    {
        var ids = new List<int>();
        if (addSpecialTokens && AddsBeginOfSequence && BeginOfSequenceId is { } begin)
            ids.Add(begin);
        AppendParts(text, beginsText: true, ids, most, neverFound: null);
        return [.. ids.Take(most)];
    }

    /// <summary>
    /// Cuts a text that a program wrote, not people, at the tokens whose texts it holds, special ones and added ones that are no white space:
    /// either an id, or text.
    /// </summary>
    internal IEnumerable<(int? Id, string Text)> CutAtTokens(string text) => added.CutAtTokens(text);

    /// <summary>Whether a token takes the white space before and after it along.</summary>
    internal (bool Before, bool After) Strips(int id) => Added(id) is { } token ? (token.StripsLeft, token.StripsRight) : (false, false);

    /// <summary>The tokens of a text that stands between tokens of a sequence.</summary>
    /// <param name="text">The text.</param>
    /// <param name="beginsText">True if no token stands before it.</param>
    /// <param name="neverFound">Added tokens whose texts are text here, as those of special tokens are.</param>
    /// <param name="most">There may be more, but they may be left out once there are so many.</param>
    /// <exception cref="InputException">The text holds an added token for which the model has no row.</exception>
    internal int[] EncodePart(string text, bool beginsText, IReadOnlySet<int> neverFound, int most)
    {
        var ids = new List<int>();
        AppendParts(text, beginsText, ids, most, neverFound);
        return [.. ids];
    }

    /// <summary>Refuses a token for which the model has no row.</summary>
    /// <exception cref="InputException">It has none.</exception>
    internal int Required(int id) => RequireRow(id);

    /// <summary>
    /// True if the text holds the text of a special token, such as <c>&lt;/s&gt;</c>. <see cref="Encode"/> takes it as text, where Hugging
    /// Face would put the token.
    /// </summary>
    public bool HoldsSpecialText(string text) => added.HoldsSpecial(text);

    /// <summary>The text of tokens. Nothing is cleaned up; bytes that are no UTF-8 become U+FFFD, ids without a token nothing.</summary>
    /// <param name="ids">The tokens.</param>
    /// <param name="skipSpecialTokens">Leaves special tokens out; otherwise they appear by their names.</param>
    public abstract string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = true);

    /// <summary>
    /// The token as the vocabulary writes it (byte-level vocabularies: in the letters that stand for bytes); empty for an unused id.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">The id is not below <see cref="VocabularySize"/>.</exception>
    public abstract string Piece(int id);

    /// <summary>
    /// Checks that the model's embedding has a row for every token of this tokenizer; rows beyond are fine. Added tokens without one do no
    /// harm as long as nothing uses them: a text that does is refused from now on.
    /// </summary>
    /// <param name="modelVocabularySize">Rows of the model's embedding.</param>
    /// <param name="notice">Told in a line if there are such added tokens.</param>
    /// <exception cref="InputException">Another token has no row, or one that opens or ends sequences.</exception>
    public void Fit(int modelVocabularySize, Action<string>? notice = null)
    {
        int[] added = [.. this.added.Tokens.Keys.Where(id => id >= modelVocabularySize).Order()];
        for (int id = VocabularySize - 1; id >= modelVocabularySize; id--)
        {
            if (Added(id) is null && Piece(id).Length > 0)
            {
                throw new InputException(
                    $"the tokenizer's largest id is {id}, but the model's vocabulary has {modelVocabularySize} rows: "
                    + "expected a tokenizer made for this model");
            }
        }

        rows = modelVocabularySize;
        if (AddsBeginOfSequence && BeginOfSequenceId is { } begin)
            RequireRow(begin);
        if (EndOfSequenceId is { } end)
            RequireRow(end);
        if (added.Length > 0)
        {
            AddedToken first = this.added.Tokens[added[0]];
            notice?.Invoke(
                $"{first.Source}: token '{InputText.Shorten(first.Text)}' ({added[0]}){(added.Length > 1 ? $" and {added.Length - 1} more have" : " has")} "
                + $"no row in the model's embedding ({modelVocabularySize} rows); harmless, as long as no text holds it");
        }
    }

    private void AppendParts(string text, bool beginsText, List<int> ids, int most, IReadOnlySet<int>? neverFound)
    {
        foreach (TextPart part in added.Split(WithoutLoneSurrogates(text), neverFound))
        {
            if (ids.Count >= most)
                break;
            if (part.Id is { } id)
                ids.Add(RequireRow(id));
            else
                AppendTokens(part.Text, beginsText && part.BeginsText, ids, most);
        }
    }

    private int RequireRow(int id)
    {
        if (id < rows)
            return id;
        AddedToken? added = Added(id);
        throw new InputException(
            $"{added?.Source ?? "the tokenizer"}: token '{InputText.Shorten(added?.Text ?? "")}' ({id}) is needed, but the model's embedding has "
            + $"only {rows} rows: expected a tokenizer made for this model");
    }

    /// <summary>Appends the tokens of a normalized text without added tokens and halves of surrogate pairs.</summary>
    /// <param name="text">The text, or what lies between two added tokens of it.</param>
    /// <param name="beginsText">True if it begins where the whole text begins.</param>
    /// <param name="ids">Where the tokens go.</param>
    /// <param name="most">There may be more, but they may be left out once there are so many.</param>
    private protected abstract void AppendTokens(string text, bool beginsText, List<int> ids, int most);

    /// <summary>The added token of an id; null if it is none.</summary>
    private protected AddedToken? Added(int id) => added.Tokens.GetValueOrDefault(id);

    private static string WithoutLoneSurrogates(string text)
    {
        for (int i = 0; i < text.Length; i++)
        {
            if (!char.IsSurrogate(text[i]))
                continue;
            if (i + 1 < text.Length && char.IsSurrogatePair(text[i], text[i + 1]))
                i++;
            else
                return Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text));
        }

        return text;
    }
}
