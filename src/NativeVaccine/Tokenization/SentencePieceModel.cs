using System.Globalization;
using System.Text;
using System.Text.Unicode;
using NativeVaccine.IO;

namespace NativeVaccine.Tokenization;

/// <summary>What a piece of a SentencePiece model is; the numbers are those of its file format.</summary>
internal enum PieceKind
{
    Normal = 1,
    Unknown = 2,
    Control = 3,
    UserDefined = 4,
    Unused = 5,
    Byte = 6,
}

/// <summary>One entry of the vocabulary; its id is its position.</summary>
internal readonly record struct SentencePiece(string Text, float Score, PieceKind Kind);

/// <summary>
/// The content of a tokenizer.model file of SentencePiece (sentencepiece_model.proto of google/sentencepiece), as far as encoding and
/// decoding need it.
/// </summary>
internal sealed class SentencePieceModel
{
    private const int BpeModelType = 2;
    private const int LongestPieceBytes = 4096;

    /// <summary>The file, for messages.</summary>
    public required string Source { get; init; }

    /// <summary>The vocabulary, by id.</summary>
    public IReadOnlyList<SentencePiece> Pieces => pieces;

    /// <summary>The ids of the 256 byte pieces; null without byte fallback.</summary>
    public int[]? ByteIds { get; private set; }

    /// <summary>The id that stands for what is not in the vocabulary.</summary>
    public int UnknownId { get; private set; }

    /// <summary>The token that opens a sequence, if there is one.</summary>
    public int? BeginOfSequenceId { get; private set; }

    /// <summary>The token that closes a sequence, if there is one.</summary>
    public int? EndOfSequenceId { get; private set; }

    /// <summary>What its trainer was told to call it.</summary>
    public string ModelPrefix { get; private set; } = "";

    /// <summary>A space is put before the text.</summary>
    public bool AddDummyPrefix { get; private set; } = true;

    /// <summary>Spaces at the ends are removed, runs of them become one.</summary>
    public bool RemoveExtraWhitespaces { get; private set; } = true;

    /// <summary>Spaces become U+2581.</summary>
    public bool EscapeWhitespaces { get; private set; } = true;

    private readonly List<SentencePiece> pieces = [];
    private ulong modelType = 1;
    private bool byteFallback;
    private bool hasCharacterMap;
    private bool whitespaceAsSuffix;
    private int beginId = 1;
    private int endId = 2;

    /// <summary>Reads a model.</summary>
    /// <exception cref="InputException">It is damaged, or of a kind that is not supported.</exception>
    public static SentencePieceModel Parse(ReadOnlySpan<byte> bytes, string source)
    {
        var model = new SentencePieceModel { Source = source };
        var reader = new ProtobufReader(bytes, source);
        while (reader.Read())
        {
            switch (reader.Field)
            {
                case 1:
                    model.pieces.Add(model.ReadPiece(reader.Content));
                    break;
                case 2:
                    model.ReadTrainerSpecification(reader.Content);
                    break;
                case 3:
                    model.ReadNormalizerSpecification(reader.Content);
                    break;
            }
        }

        model.Check();
        return model;
    }

    private SentencePiece ReadPiece(ReadOnlySpan<byte> message)
    {
        string text = "";
        float score = 0;
        var kind = PieceKind.Normal;
        var reader = new ProtobufReader(message, Source);
        while (reader.Read())
        {
            switch (reader.Field)
            {
                case 1:
                    text = PieceText(reader.Content);
                    break;
                case 2:
                    score = reader.Single;
                    break;
                case 3:
                    kind = reader.Number is >= (ulong)PieceKind.Normal and <= (ulong)PieceKind.Byte
                        ? (PieceKind)reader.Number
                        : throw Wrong($"piece {pieces.Count} is of the unknown kind {reader.Number}", "1 to 6");
                    break;
            }
        }

        if (text.Length == 0)
            throw Wrong($"piece {pieces.Count} is empty", "text");
        if (float.IsNaN(score))
            throw Wrong($"the score of piece {pieces.Count} is not a number", "one");
        return new SentencePiece(text, score, kind);
    }

    private string PieceText(ReadOnlySpan<byte> utf8)
    {
        if (utf8.Length > LongestPieceBytes)
            throw Wrong($"piece {pieces.Count} has {utf8.Length} bytes", $"at most {LongestPieceBytes}");
        return Utf8.IsValid(utf8) ? Encoding.UTF8.GetString(utf8) : throw Wrong($"piece {pieces.Count} is not valid UTF-8", "text");
    }

    private void ReadTrainerSpecification(ReadOnlySpan<byte> message)
    {
        var reader = new ProtobufReader(message, Source);
        while (reader.Read())
        {
            switch (reader.Field)
            {
                case 2:
                    ModelPrefix = Encoding.UTF8.GetString(reader.Content);
                    break;
                case 3:
                    modelType = reader.Number;
                    break;
                case 24:
                    whitespaceAsSuffix = reader.Number != 0;
                    break;
                case 35:
                    byteFallback = reader.Number != 0;
                    break;
                case 41:
                    beginId = (int)reader.Number;
                    break;
                case 42:
                    endId = (int)reader.Number;
                    break;
            }
        }
    }

    private void ReadNormalizerSpecification(ReadOnlySpan<byte> message)
    {
        var reader = new ProtobufReader(message, Source);
        while (reader.Read())
        {
            switch (reader.Field)
            {
                case 2:
                    hasCharacterMap = !reader.Content.IsEmpty;
                    break;
                case 3:
                    AddDummyPrefix = reader.Number != 0;
                    break;
                case 4:
                    RemoveExtraWhitespaces = reader.Number != 0;
                    break;
                case 5:
                    EscapeWhitespaces = reader.Number != 0;
                    break;
            }
        }
    }

    private void Check()
    {
        if (pieces.Count is 0 or > TokenizerConfiguration.LargestId)
            throw Wrong($"{pieces.Count} pieces", $"1 to {TokenizerConfiguration.LargestId}");
        if (modelType != BpeModelType)
        {
            string kind = modelType switch { 1 => "unigram", 3 => "word", 4 => "char", _ => $"{modelType}" };
            throw Wrong($"a SentencePiece model of type {kind}", "BPE, the only type supported");
        }

        if (hasCharacterMap)
        {
            throw Wrong(
                "its normalizer rewrites characters (precompiled_charsmap), which is not supported",
                "the identity normalizer, as in Llama-2");
        }

        if (whitespaceAsSuffix)
            throw Wrong("treat_whitespace_as_suffix is set, which is not supported", "spaces before words");
        UnknownId = pieces.FindIndex(piece => piece.Kind == PieceKind.Unknown);
        if (UnknownId < 0)
            throw Wrong("no piece for the unknown", "one");
        BeginOfSequenceId = ControlPiece(beginId);
        EndOfSequenceId = ControlPiece(endId);
        ByteIds = byteFallback ? FindBytes() : null;
    }

    /// <summary>The specification keeps a default id even where a model has no such token; only a control piece is one.</summary>
    private int? ControlPiece(int id) => (uint)id < (uint)pieces.Count && pieces[id].Kind == PieceKind.Control ? id : null;

    private int[] FindBytes()
    {
        int[] ids = new int[256];
        Array.Fill(ids, -1);
        for (int id = 0; id < pieces.Count; id++)
        {
            if (pieces[id].Kind == PieceKind.Byte)
                ids[ByteOf(pieces[id].Text)] = id;
        }

        int missing = Array.IndexOf(ids, -1);
        return missing < 0 ? ids : throw Wrong($"byte fallback without a piece for byte 0x{missing:X2}", "all 256");
    }

    /// <summary>The byte that a byte piece, spelled <c>&lt;0x41&gt;</c>, stands for.</summary>
    public byte ByteOf(string text) =>
        text.Length == 6 && text.StartsWith("<0x", StringComparison.Ordinal) && text[5] == '>'
            && byte.TryParse(text.AsSpan(3, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out byte value)
            ? value
            : throw Wrong($"byte piece '{InputText.Shorten(text)}'", "the form <0x41>");

    private InputException Wrong(string found, string expected) => new($"{Source}: {found}: expected {expected}");
}
