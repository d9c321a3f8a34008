namespace NativeVaccine.Evaluation;

/// <summary>Recognises what a hand makes that runs along the rows of a keyboard (QWERTY, QWERTZ, AZERTY) instead of writing.</summary>
internal static class KeyboardRun
{
    private const int FewestKeys = 4;
    private const double MostOfAWord = 0.8;  // "strew" and "property" have four keys in a row, too
    private const int LongestHomeRowWord = 8;  // "alfalfas"
    private const string HomeRow = "asdfghjkl";

    private static readonly string[] Rows = ["qwertyuiop", HomeRow, "zxcvbnm", "qwertzuiop", "yxcvbnm", "azertyuiop", "qsdfghjklm", "wxcvbn"];

    /// <summary>True if nearly all letters of a word lie in runs of neighbouring keys, or a long one never leaves the middle row.</summary>
    public static bool Is(string word)
    {
        string letters = word.ToLowerInvariant();
        if (letters.Length > LongestHomeRowWord && letters.All(static letter => HomeRow.Contains(letter, StringComparison.Ordinal))) return true;
        return Rows.Any(row => InRuns(letters, row) > MostOfAWord * letters.Length);
    }

    /// <summary>How many letters lie in runs that go along the row, in either direction.</summary>
    private static int InRuns(string letters, string row)
    {
        int covered = 0;
        for (int begin = 0; begin < letters.Length;)
        {
            int length = Math.Max(RunAt(letters, begin, row, 1), RunAt(letters, begin, row, -1));
            if (length >= FewestKeys) covered += length;
            begin += length >= FewestKeys ? length : 1;
        }
        return covered;
    }

    private static int RunAt(string letters, int begin, string row, int direction)
    {
        int key = row.IndexOf(letters[begin], StringComparison.Ordinal);
        if (key < 0) return 0;
        int length = 1;
        for (int next = key + direction; begin + length < letters.Length && next >= 0 && next < row.Length; next += direction)
        {
            if (letters[begin + length] != row[next]) break;
            length++;
        }
        return length;
    }
}
