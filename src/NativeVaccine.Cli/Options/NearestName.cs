namespace NativeVaccine.Cli.Options;

/// <summary>Guesses what was meant by a mistyped name.</summary>
internal static class NearestName
{
    /// <summary>The known name that takes the fewest edits, if that is few enough to be a slip; null otherwise.</summary>
    public static string? Find(string name, IEnumerable<string> known)
    {
        (string? best, int fewest) = (null, Math.Max(2, name.Length / 3) + 1);
        foreach (string candidate in known)
        {
            int edits = EditDistance(name, candidate);
            if (edits < fewest) (best, fewest) = (candidate, edits);
        }
        return best;
    }

    /// <summary>Insertions, deletions and replacements of one character that turn one text into the other (Levenshtein).</summary>
    private static int EditDistance(string from, string to)
    {
        int[] row = [.. Enumerable.Range(0, to.Length + 1)];
        for (int i = 1; i <= from.Length; i++)
        {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= to.Length; j++)
            {
                int replaced = diagonal + (from[i - 1] == to[j - 1] ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.Min(replaced, Math.Min(row[j], row[j - 1]) + 1);
            }
        }
        return row[^1];
    }
}
