using System.Buffers;

namespace NativeVaccine.Tokenization;

/// <summary>Finds the first of some texts in a text; of those that begin at the same place, the longest.</summary>
internal sealed class TokenMatcher
{
    private readonly Dictionary<string, int> ids = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> lookup;
    private readonly Dictionary<char, int[]> lengths;
    private readonly SearchValues<char> firstCharacters;

    /// <summary>A matcher; empty texts are left out, and of equal ones the last counts.</summary>
    public TokenMatcher(IEnumerable<(string Text, int Id)> texts)
    {
        foreach ((string text, int id) in texts)
        {
            if (text.Length > 0)
                ids[text] = id;
        }

        lookup = ids.GetAlternateLookup<ReadOnlySpan<char>>();
        lengths = ids.Keys.GroupBy(text => text[0]).ToDictionary(
            group => group.Key, group => group.Select(text => text.Length).Distinct().OrderDescending().ToArray());
        firstCharacters = SearchValues.Create([.. lengths.Keys]);
    }

    /// <summary>The place of the first match at or after <paramref name="from"/>; -1 if there is none.</summary>
    public int Find(string text, int from, out int length, out int id)
    {
        while (true)
        {
            int step = text.AsSpan(from).IndexOfAny(firstCharacters);
            if (step < 0)
            {
                (length, id) = (0, -1);
                return -1;
            }

            from += step;
            foreach (int candidate in lengths[text[from]])
            {
                if (candidate <= text.Length - from && lookup.TryGetValue(text.AsSpan(from, candidate), out id))
                {
                    length = candidate;
                    return from;
                }
            }

            from++;
        }
    }
}
