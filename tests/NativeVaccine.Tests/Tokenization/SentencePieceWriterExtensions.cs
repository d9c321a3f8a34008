using NativeVaccine.Tokenization;

namespace NativeVaccine.Tests.Tokenization;

internal static class SentencePieceWriterExtensions
{
    /// <summary>The three pieces with which every model begins.</summary>
    public static SentencePieceWriter AddSpecials(this SentencePieceWriter writer) =>
        writer.Add("<unk>", kind: PieceKind.Unknown).Add("<s>", kind: PieceKind.Control).Add("</s>", kind: PieceKind.Control);

    public static SentencePieceTokenizer ToTokenizer(this SentencePieceWriter writer) =>
        new(SentencePieceModel.Parse(writer.ToBytes(), "made.model"), new TokenizerConfiguration { Source = "made" });
}
