using System.Text;
using System.Text.Json;
using System.Text.Unicode;
using NativeVaccine.IO;

namespace NativeVaccine.Tokenization;

/// <summary>Makes text of pieces by the steps that tokenizer.json names under <c>decoder</c>.</summary>
internal sealed class PieceDecoder
{
    private readonly List<Func<List<string>, List<string>>> steps = [];

    /// <summary>Reads the steps.</summary>
    /// <exception cref="InputException">There are none, or one is not supported.</exception>
    public static PieceDecoder Read(JsonElement? decoder, string where)
    {
        var result = new PieceDecoder();
        foreach (JsonElement step in TokenizerJson.Steps(decoder, "decoders", where))
            result.steps.Add(Step(step, where));
        return result.steps.Count > 0 ? result : throw new InputException($"{where}: missing: expected the steps that make text of tokens");
    }

    /// <summary>The text.</summary>
    public string Decode(List<string> pieces) => string.Concat(steps.Aggregate(pieces, static (left, step) => step(left)));

    private static Func<List<string>, List<string>> Step(JsonElement step, string where)
    {
        string type = JsonRecord.RequiredText(step, "type", where);
        switch (type)
        {
            case "Replace":
                (string from, string to) = TokenizerJson.Replacement(step, where);
                return pieces => [.. pieces.Select(piece => piece.Replace(from, to, StringComparison.Ordinal))];
            case "ByteFallback":
                return JoinBytes;
            case "Fuse":
                return static pieces => [string.Concat(pieces)];
            case "Strip":
                string content = JsonRecord.RequiredText(step, "content", where);
                if (content.Length != 1)
                    throw new InputException($"{where}: Strip of '{InputText.Shorten(content)}': expected one character");
                int start = JsonRecord.Integer(JsonRecord.Required(step, "start", where), "start", where);
                int stop = JsonRecord.Integer(JsonRecord.Required(step, "stop", where), "stop", where);
                return pieces => [.. pieces.Select(piece => Strip(piece, content[0], start, stop))];
            case "Metaspace":
                string space = JsonRecord.RequiredText(step, "replacement", where);
                bool keepsFirst = TokenizerJson.Scheme(step, where) == PrependScheme.Never;
                return pieces => [.. pieces.Select((piece, index) =>
                    piece.Replace(space, index == 0 && !keepsFirst ? "" : " ", StringComparison.Ordinal))];
            default:
                throw new InputException(
                    $"{where}: '{InputText.Shorten(type)}' is not supported: expected Replace, ByteFallback, Fuse, Strip and Metaspace");
        }
    }

    private static string Strip(string piece, char content, int start, int stop)
    {
        int begin = 0;
        while (begin < start && begin < piece.Length && piece[begin] == content)
            begin++;
        int end = piece.Length;
        while (piece.Length - end < stop && end > begin && piece[end - 1] == content)
            end--;
        return piece[begin..end];
    }

    /// <summary>A run of byte pieces becomes its text; where it is no UTF-8, a U+FFFD for each of its bytes, as Hugging Face has it.</summary>
    private static List<string> JoinBytes(List<string> pieces)
    {
        var result = new List<string>(pieces.Count);
        var bytes = new List<byte>();
        foreach (string piece in pieces)
        {
            if (ByteFallbackVocabulary.ByteOf(piece) is { } value)
            {
                bytes.Add(value);
                continue;
            }

            Flush();
            result.Add(piece);
        }

        Flush();
        return result;

        void Flush()
        {
            if (bytes.Count == 0)
                return;
            byte[] run = [.. bytes];
            bytes.Clear();
            result.Add(Utf8.IsValid(run) ? Encoding.UTF8.GetString(run) : new string('\uFFFD', run.Length));
        }
    }
}
