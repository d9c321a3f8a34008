using System.Text;
using NativeVaccine.Tokenization;

namespace NativeVaccine.Tests.Tokenization;

/// <summary>Writes small SentencePiece models, field by field as sentencepiece_model.proto numbers them.</summary>
internal sealed class SentencePieceWriter
{
    private readonly List<byte[]> pieces = [];

    public int ModelType { get; init; } = 2;

    public bool ByteFallback { get; init; }

    public bool WhitespaceAsSuffix { get; init; }

    public byte[] CharacterMap { get; init; } = [];

    public bool AddDummyPrefix { get; init; } = true;

    public bool RemoveExtraWhitespaces { get; init; }

    public SentencePieceWriter Add(string text, float score = 0, PieceKind kind = PieceKind.Normal)
    {
        using var piece = new MemoryStream();
        WriteBytes(piece, 1, Encoding.UTF8.GetBytes(text));
        piece.WriteByte((2 << 3) | 5);
        piece.Write(BitConverter.GetBytes(score));
        WriteNumber(piece, 3, (ulong)kind);
        pieces.Add(piece.ToArray());
        return this;
    }

    /// <summary>The three pieces with which every model begins.</summary>
    public SentencePieceWriter AddSpecials() =>
        Add("<unk>", kind: PieceKind.Unknown).Add("<s>", kind: PieceKind.Control).Add("</s>", kind: PieceKind.Control);

    public byte[] ToBytes()
    {
        using var trainer = new MemoryStream();
        WriteNumber(trainer, 3, (ulong)ModelType);
        WriteNumber(trainer, 24, WhitespaceAsSuffix ? 1u : 0);
        WriteNumber(trainer, 35, ByteFallback ? 1u : 0);
        using var normalizer = new MemoryStream();
        WriteBytes(normalizer, 1, "identity"u8.ToArray());
        WriteBytes(normalizer, 2, CharacterMap);
        WriteNumber(normalizer, 3, AddDummyPrefix ? 1u : 0);
        WriteNumber(normalizer, 4, RemoveExtraWhitespaces ? 1u : 0);
        using var model = new MemoryStream();
        foreach (byte[] piece in pieces)
            WriteBytes(model, 1, piece);
        WriteBytes(model, 2, trainer.ToArray());
        WriteBytes(model, 3, normalizer.ToArray());
        return model.ToArray();
    }

    public SentencePieceTokenizer ToTokenizer() =>
        new(SentencePieceModel.Parse(ToBytes(), "made.model"), new TokenizerConfiguration { Source = "made" });

    private static void WriteNumber(MemoryStream stream, int field, ulong value)
    {
        WriteVarint(stream, (ulong)field << 3);
        WriteVarint(stream, value);
    }

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
