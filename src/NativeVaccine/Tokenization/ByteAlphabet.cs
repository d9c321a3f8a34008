using System.Collections.Frozen;

namespace NativeVaccine.Tokenization;

/// <summary>
/// The letters in which byte-level vocabularies spell bytes (GPT-2's encoder.py): a printable Latin-1 character stands for its own
/// byte, the other 68 bytes, in order, have the characters from U+0100 on.
/// </summary>
internal static class ByteAlphabet
{
    private static readonly char[] Letters = MakeLetters();

    private static readonly FrozenDictionary<char, byte> Bytes =
        Enumerable.Range(0, 256).ToFrozenDictionary(value => Letters[value], value => (byte)value);

    /// <summary>The letters that spell some bytes.</summary>
    public static string Spell(ReadOnlySpan<byte> bytes)
    {
        char[] letters = new char[bytes.Length];
        for (int i = 0; i < letters.Length; i++)
            letters[i] = Letters[bytes[i]];
        return new string(letters);
    }

    /// <summary>The bytes that letters spell, or null if one of them is no letter of this alphabet.</summary>
    public static byte[]? Read(string letters)
    {
        byte[] bytes = new byte[letters.Length];
        for (int i = 0; i < bytes.Length; i++)
        {
            if (!Bytes.TryGetValue(letters[i], out bytes[i]))
                return null;
        }

        return bytes;
    }

    private static char[] MakeLetters()
    {
        char[] letters = new char[256];
        char next = '\u0100';
        for (int value = 0; value < 256; value++)
            letters[value] = value is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or (>= 0xAE and <= 0xFF) ? (char)value : next++;
        return letters;
    }
}
