namespace NativeVaccine.Evaluation;

/// <summary>Recognises text that says one thing over and over.</summary>
internal static class Repetition
{
    private const int LongestPhraseWords = 12;
    private const int LongestPhraseCharacters = 16;
    private const int FewestRepeats = 4;
    private const int FewestCharacters = 32;
    private const int FewestTriples = 12;

    /// <summary>
    /// True if more than half of the text is one phrase (up to 12 words, or 16 characters) four times or more in direct succession, or if
    /// more than half of its triples of words have come before.
    /// </summary>
    /// <param name="text">The text.</param>
    /// <param name="words">Its words, in small letters.</param>
    public static bool Dominates(string text, string[] words) =>
        IsMostlyPeriodic<string>(words, LongestPhraseWords)
        || (text.Length >= FewestCharacters && IsMostlyPeriodic<char>(text, LongestPhraseCharacters))
        || RepeatsItsTriples(words);

    private static bool RepeatsItsTriples(string[] words)
    {
        int triples = words.Length - 2;
        if (triples < FewestTriples) return false;
        int different = Enumerable.Range(0, triples).Select(i => (words[i], words[i + 1], words[i + 2])).Distinct().Count();
        return 2 * different < triples;
    }

    private static bool IsMostlyPeriodic<T>(ReadOnlySpan<T> items, int longestPeriod)
        where T : IEquatable<T>
    {
        for (int period = 1; period <= longestPeriod; period++)
        {
            int run = LongestPeriodicRun(items, period);
            if (run >= FewestRepeats * period && run > items.Length / 2)
                return true;
        }

        return false;
    }

    /// <summary>The length of the longest stretch in which each item equals the one a period before it.</summary>
    private static int LongestPeriodicRun<T>(ReadOnlySpan<T> items, int period)
        where T : IEquatable<T>
    {
        int longest = 0;
        int equal = 0;
        for (int i = period; i < items.Length; i++)
        {
            equal = items[i].Equals(items[i - period]) ? equal + 1 : 0;
            longest = Math.Max(longest, equal + period);
        }

        return longest;
    }
}
