using System.Text;

namespace NativeVaccine.Tokenization;

/// <summary>Writes a tokenizer.model, field by field as sentencepiece_model.proto of google/sentencepiece numbers them.</summary>
internal sealed class SentencePieceWriter
{
    private readonly List<SentencePiece> pieces = [];

    /// <summary>Where SentencePiece's trainer says what it wrote the model for; no tokenizer looks at it.</summary>
    public string ModelPrefix { get; init; } = "";

    public int ModelType { get; init; } = 2;

    public bool ByteFallback { get; init; }

    public bool WhitespaceAsSuffix { get; init; }

    public byte[] CharacterMap { get; init; } = [];

    public bool AddDummyPrefix { get; init; } = true;

    public bool RemoveExtraWhitespaces { get; init; }

    /// <summary>The pieces that open and close a sequence; null where there is none.</summary>
    public int? BeginOfSequenceId { get; init; } = 1;

    /// <inheritdoc cref="BeginOfSequenceId"/>
    public int? EndOfSequenceId { get; init; } = 2;

    /// <summary>Adds the piece of the next id.</summary>
    public SentencePieceWriter Add(string text, float score = 0, PieceKind kind = PieceKind.Normal)
    {
        pieces.Add(new SentencePiece(text, score, kind));
        return this;
    }

    /// <summary>The content of the file.</summary>
    public byte[] ToBytes()
    {
        using var model = new MemoryStream();
        foreach (SentencePiece piece in pieces)
        {
            using var message = new MemoryStream();
            WriteText(message, 1, piece.Text);
            message.WriteByte((2 << 3) | 5);
            message.Write(BitConverter.GetBytes(piece.Score));
            WriteNumber(message, 3, (ulong)piece.Kind);
            WriteBytes(model, 1, message.ToArray());
        }

        WriteBytes(model, 2, TrainerSpecification());
        WriteBytes(model, 3, NormalizerSpecification());
        return model.ToArray();
    }

    private byte[] TrainerSpecification()
    {
        using var trainer = new MemoryStream();
        if (ModelPrefix.Length > 0) WriteText(trainer, 2, ModelPrefix);
        WriteNumber(trainer, 3, (ulong)ModelType);
        WriteNumber(trainer, 4, (ulong)pieces.Count);
        WriteNumber(trainer, 24, WhitespaceAsSuffix ? 1u : 0);
        WriteNumber(trainer, 35, ByteFallback ? 1u : 0);
        int unknown = pieces.FindIndex(static piece => piece.Kind == PieceKind.Unknown);
        WriteSpecial(trainer, 40, 45, unknown < 0 ? null : unknown);
        WriteSpecial(trainer, 41, 46, BeginOfSequenceId);
        WriteSpecial(trainer, 42, 47, EndOfSequenceId);
        WriteNumber(trainer, 43, ulong.MaxValue);  // no padding: -1
        return trainer.ToArray();
    }

    private byte[] NormalizerSpecification()
    {
        using var normalizer = new MemoryStream();
        WriteText(normalizer, 1, "identity");
        WriteBytes(normalizer, 2, CharacterMap);
        WriteNumber(normalizer, 3, AddDummyPrefix ? 1u : 0);
        WriteNumber(normalizer, 4, RemoveExtraWhitespaces ? 1u : 0);
        WriteNumber(normalizer, 5, 1);
        return normalizer.ToArray();
    }

    /// <summary>The id of a special piece and its text; -1 alone where there is none.</summary>
    private void WriteSpecial(MemoryStream stream, int idField, int textField, int? id)
    {
        WriteNumber(stream, idField, id is { } given ? (ulong)given : ulong.MaxValue);
        if (id is { } known && known < pieces.Count) WriteText(stream, textField, pieces[known].Text);
    }

    private static void WriteNumber(MemoryStream stream, int field, ulong value)
    {
        WriteVarint(stream, (ulong)field << 3);
        WriteVarint(stream, value);
    }

    private static void WriteText(MemoryStream stream, int field, string text) => WriteBytes(stream, field, Encoding.UTF8.GetBytes(text));

    private static void WriteBytes(MemoryStream stream, int field, byte[] value)
    {
        WriteVarint(stream, ((ulong)field << 3) | 2);
        WriteVarint(stream, (ulong)value.Length);
        stream.Write(value);
    }

    private static void WriteVarint(MemoryStream stream, ulong value)
    {
        for (; value >= 0x80; value >>= 7)
            stream.WriteByte((byte)(value | 0x80));
        stream.WriteByte((byte)value);
    }
}
