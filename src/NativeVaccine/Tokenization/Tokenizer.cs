using System.Text;

namespace NativeVaccine.Tokenization;

/// <summary>
/// Turns text into token ids and back. Text is data: special tokens are never recognised in it, so nobody can end a sequence or open
/// another by writing <c>&lt;/s&gt;</c>; added tokens that are not special are found as Hugging Face finds them. Safe for use by several
/// threads at once.
/// </summary>
public abstract class Tokenizer
{
    private readonly SpecialTokens _specialTokens;
    private readonly AddedVocabulary _added;

    private protected Tokenizer(SpecialTokens specialTokens, AddedVocabulary added) => (_specialTokens, _added) = (specialTokens, added);

    /// <summary>One more than the largest token id.</summary>
    public abstract int VocabularySize { get; }

    /// <summary>The token that opens a sequence, if there is one.</summary>
    public int? BeginOfSequenceId => _specialTokens.BeginOfSequenceId;

    /// <summary>True if <see cref="Encode"/> puts <see cref="BeginOfSequenceId"/> first.</summary>
    public bool AddsBeginOfSequence => _specialTokens.AddsBeginOfSequence;

    /// <summary>The token that closes a training sequence: the tokenizer's own end token; null if it has none.</summary>
    public int? EndOfSequenceId => _specialTokens.EndOfSequenceId;

    /// <summary>The text of <see cref="EndOfSequenceId"/>, or empty.</summary>
    public string EndOfSequenceText => EndOfSequenceId is { } id ? Piece(id) : "";

    /// <summary>The tokens at which generation stops: those of the model's configuration first, then the tokenizer's own.</summary>
    public IReadOnlyList<int> EndOfSequenceIds => _specialTokens.EndOfSequenceIds;

    /// <summary>The tokenizer of a model folder: tokenizer.model, tokenizer.json, or vocab.json with merges.txt.</summary>
    /// <exception cref="InputException">There is none, or it cannot be used.</exception>
    public static Tokenizer Load(string modelFolder) => TokenizerFolder.TryLoad(modelFolder) ?? throw TokenizerFolder.None(modelFolder);

    /// <summary>
    /// The tokenizer for a model: that of its folder, which must fit; where the folder has none and the vocabulary is large enough, the
    /// built-in one.
    /// </summary>
    /// <param name="modelFolder">The folder.</param>
    /// <param name="vocabularySize">Rows of the model's embedding.</param>
    /// <param name="notice">Told in a line if it is the built-in one.</param>
    /// <exception cref="InputException">There is none, or it cannot be used for this model.</exception>
    public static Tokenizer LoadFor(string modelFolder, int vocabularySize, Action<string>? notice = null)
    {
        if (TokenizerFolder.TryLoad(modelFolder) is { } own)
        {
            own.EnsureFits(vocabularySize);
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
    /// <param name="addSpecialTokens">Opens the sequence as the model folder's own tokenizer would.</param>
    public int[] Encode(string text, bool addSpecialTokens = true)
    {
        var ids = new List<int>();
        if (addSpecialTokens && AddsBeginOfSequence && BeginOfSequenceId is { } begin)
            ids.Add(begin);
        foreach (TextPart part in _added.Split(WithoutLoneSurrogates(text)))
        {
            if (part.Id is { } id)
                ids.Add(id);
            else
                AppendTokens(part.Text, part.BeginsText, ids);
        }

        return [.. ids];
    }

    /// <summary>
    /// True if the text holds the text of a special token, such as <c>&lt;/s&gt;</c>. <see cref="Encode"/> takes it as text, where Hugging
    /// Face would put the token.
    /// </summary>
    public bool HoldsSpecialText(string text) => _added.HoldsSpecial(text);

    /// <summary>The text of tokens. Nothing is cleaned up; bytes that are no UTF-8 become U+FFFD, ids without a token nothing.</summary>
    /// <param name="ids">The tokens.</param>
    /// <param name="skipSpecialTokens">Leaves special tokens out; otherwise they appear by their names.</param>
    public abstract string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = true);

    /// <summary>
    /// The token as the vocabulary writes it (byte-level vocabularies: in the letters that stand for bytes); empty for an unused id.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">The id is not below <see cref="VocabularySize"/>.</exception>
    public abstract string Piece(int id);

    /// <summary>Checks that every token of this tokenizer has a row in the model's embedding; rows beyond are fine.</summary>
    /// <exception cref="InputException">It does not.</exception>
    public void EnsureFits(int modelVocabularySize)
    {
        if (VocabularySize > modelVocabularySize)
        {
            throw new InputException(
                $"the tokenizer's largest id is {VocabularySize - 1}, but the model's vocabulary has {modelVocabularySize} rows: "
                + "expected a tokenizer made for this model");
        }
    }

    /// <summary>Appends the tokens of a normalized text without added tokens and halves of surrogate pairs.</summary>
    /// <param name="text">The text, or what lies between two added tokens of it.</param>
    /// <param name="beginsText">True if it begins where the whole text begins.</param>
    /// <param name="ids">Where the tokens go.</param>
    private protected abstract void AppendTokens(string text, bool beginsText, List<int> ids);

    /// <summary>The added token of an id; null if it is none.</summary>
    private protected AddedToken? Added(int id) => _added.Tokens.GetValueOrDefault(id);

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
