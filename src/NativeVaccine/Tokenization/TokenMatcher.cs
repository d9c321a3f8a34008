using System.Buffers;

namespace NativeVaccine.Tokenization;

/// <summary>Finds the first of some texts in a text; of those that begin at the same place, the longest.</summary>
internal sealed class TokenMatcher
{
    private readonly Dictionary<string, int> _ids = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> _lookup;
    private readonly Dictionary<char, int[]> _lengths;
    private readonly SearchValues<char> _firstCharacters;

    /// <summary>A matcher; empty texts are left out, and of equal ones the last counts.</summary>
    public TokenMatcher(IEnumerable<(string Text, int Id)> texts)
    {
        foreach ((string text, int id) in texts)
        {
            if (text.Length > 0)
                _ids[text] = id;
        }

        _lookup = _ids.GetAlternateLookup<ReadOnlySpan<char>>();
        _lengths = _ids.Keys.GroupBy(text => text[0]).ToDictionary(
            group => group.Key, group => group.Select(text => text.Length).Distinct().OrderDescending().ToArray());
        _firstCharacters = SearchValues.Create([.. _lengths.Keys]);
    }

    /// <summary>The place of the first match at or after <paramref name="from"/>; -1 if there is none.</summary>
    public int Find(string text, int from, out int length, out int id)
    {
        while (true)
        {
            int step = text.AsSpan(from).IndexOfAny(_firstCharacters);
            if (step < 0)
            {
                (length, id) = (0, -1);
                return -1;
            }

            from += step;
            foreach (int candidate in _lengths[text[from]])
            {
                if (candidate <= text.Length - from && _lookup.TryGetValue(text.AsSpan(from, candidate), out id))
                {
                    length = candidate;
                    return from;
                }
            }

            from++;
        }
    }
}
