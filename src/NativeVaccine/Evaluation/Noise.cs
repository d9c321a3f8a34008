using System.Globalization;

namespace NativeVaccine.Evaluation;

/// <summary>
/// Recognises text that is no language: characters that are mostly not letters, letters that do not form words, words that do not form
/// phrases. Whether a word is one is told by its shape (letters of one script, a vowel, no long run of consonants, capitals only where
/// words have them, not along the keys of a keyboard), not by a dictionary, so that names and other languages pass.
/// </summary>
internal static class Noise
{
    private const double LeastShareOfLetters = 0.5;
    private const double LeastShareOfWords = 0.6;
    private const double MostBrokenCharacters = 0.05;
    private const int MostAlone = 8;
    private const int LongestConsonants = 6;
    private const int LongestVowels = 4;

    /// <summary>True if the text is noise.</summary>
    public static bool Is(string text)
    {
        int letters = text.Count(static c => char.IsLetterOrDigit(c) || char.IsWhiteSpace(c) || IsMark(c));
        int broken = text.Count(static c => c == '\ufffd' || (char.IsControl(c) && !char.IsWhiteSpace(c)));
        if (letters < LeastShareOfLetters * text.Length || broken > MostBrokenCharacters * text.Length) return true;

        string[] tokens = [.. text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).SelectMany(Parts)];
        // Single letters name things ("x = 4"), and are neither words nor none.
        string[] words = [.. tokens.Where(static token => token.Length > 1 && token.Any(char.IsLetter))];
        return words.Length == 0
            ? tokens.Length > MostAlone
            : words.Count(IsWordLike) < LeastShareOfWords * words.Length || WordSalad.Is(text);
    }

    /// <summary>The pieces of a token between its punctuation: os.listdir() has two.</summary>
    private static IEnumerable<string> Parts(string token)
    {
        int begin = 0;
        for (int i = 0; i <= token.Length; i++)
        {
            if (i < token.Length && (char.IsLetterOrDigit(token[i]) || IsMark(token[i]) || token[i] is '\'' or '\ufffd')) continue;
            if (i > begin) yield return token[begin..i];
            begin = i + 1;
        }
    }

    private static bool IsWordLike(string part)
    {
        string word = part.Trim('\'');
        if (word.Any(char.IsDigit)) return IsNumberWithUnit(word);
        if (!word.All(static c => char.IsLetter(c) || IsMark(c) || c == '\'')) return false;
        if (word.Select(ScriptOf).Where(static script => script != 0).Distinct().Count() > 1) return false;
        return ScriptOf(word[0]) != 'L' || (HasCaseOfAWord(word) && SoundsLikeAWord(word) && !KeyboardRun.Is(word));
    }

    /// <summary>3rd, 250ml.</summary>
    private static bool IsNumberWithUnit(string word) =>
        word.TrimStart("0123456789".AsSpan().ToArray()) is { Length: <= 3 } unit && unit.All(char.IsLetter);

    /// <summary>heron, Heron, HERON, and McHeron, but not hErOn.</summary>
    private static bool HasCaseOfAWord(string word)
    {
        int changes = 0;
        for (int i = 1; i < word.Length; i++)
            if (char.IsLower(word[i - 1]) && char.IsUpper(word[i])) changes++;
        return changes <= 1;
    }

    private static bool SoundsLikeAWord(string word)
    {
        if (word.Length <= 4 && word.All(char.IsUpper)) return true;  // an abbreviation
        int vowels = 0, consonants = 0, longestVowels = 0, longestConsonants = 0;
        bool anyVowel = false;
        foreach (char c in word)
        {
            if (!char.IsLetter(c)) continue;
            anyVowel |= IsVowel(c);
            (vowels, consonants) = IsVowel(c) ? (vowels + 1, 0) : (0, consonants + 1);
            longestVowels = Math.Max(longestVowels, vowels);
            longestConsonants = Math.Max(longestConsonants, consonants);
        }
        return anyVowel && longestVowels <= LongestVowels && longestConsonants <= LongestConsonants;
    }

    /// <summary>Nearly all letters with a mark on them are vowels; the few others are let pass as such.</summary>
    private static bool IsVowel(char c) => c > '\u007f' || "aeiouyAEIOUY".Contains(c, StringComparison.Ordinal);

    /// <summary>A letter for the alphabets that are told apart, 'O' for all others, 0 for what belongs to none.</summary>
    private static int ScriptOf(char c) => c switch
    {
        _ when !char.IsLetter(c) => 0,
        < '\u0250' or (>= '\u1e00' and < '\u1f00') => 'L',
        >= '\u0370' and < '\u0400' => 'G',
        >= '\u0400' and < '\u0530' => 'C',
        _ => 'O',
    };

    private static bool IsMark(char c) =>
        char.GetUnicodeCategory(c) is UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark;
}
