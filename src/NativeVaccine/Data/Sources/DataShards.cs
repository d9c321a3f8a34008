using System.Globalization;
using System.Text.RegularExpressions;

namespace NativeVaccine.Data.Sources;

/// <summary>Finds the files of a data set in a folder: those of one split, in the order of their numbers.</summary>
internal static partial class DataShards
{
    /// <summary>Where repositories keep their files.</summary>
    private const string UsualFolder = "data";

    private static readonly string[] Suffixes = [".parquet", ".json", ".jsonl", ".ndjson", ".csv", ".tsv"];

    /// <summary>What lies beside data and is none.</summary>
    private static readonly HashSet<string> Descriptions = new(StringComparer.OrdinalIgnoreCase)
    {
        "dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json", "metadata.json", "config.json", "croissant.json",
    };

    /// <summary>The names by which datasets knows splits.</summary>
    private static readonly (string Split, string[] Words)[] Splits =
    [
        ("train", ["train", "training"]), ("validation", ["validation", "valid", "dev", "val"]), ("test", ["test", "testing", "eval", "evaluation"]),
    ];

    /// <summary>The files to read for a path.</summary>
    /// <param name="path">A file, or a folder of them.</param>
    /// <param name="split">train, validation or test; null where there is only one.</param>
    /// <param name="notice">Told in a line what is left out of a folder, or missing in it.</param>
    /// <exception cref="InputException">Nothing is there, or files of several splits and none was asked for.</exception>
    public static IReadOnlyList<string> Find(string path, string? split, Action<string> notice)
    {
        if (!Directory.Exists(path))
            return split is null ? [path] : throw new InputException($"{path}: is no folder, of whose files --split chooses some");
        string[] files = DataFilesOf(path);
        string inner = Path.Combine(path, UsualFolder);
        if (files.Length == 0 && Directory.Exists(inner)) files = DataFilesOf(path = inner);
        if (files.Length == 0)
            throw new InputException($"{path}: no data files: expected {string.Join(", ", Suffixes)} (text may be packed: .gz, .xz)");
        IGrouping<string, string>[] bySplit = [.. files.GroupBy(SplitOf)];
        if (split is null && bySplit.Length > 1)
        {
            string found = string.Join(", ", bySplit.Select(static group => FormattableString.Invariant($"{group.Key} ({group.Count()})")));
            throw new InputException($"{path}: holds files of several splits: {found}: expected --split");
        }
        string[] chosen = split is null ? files : [.. files.Where(file => SplitOf(file) == split)];
        if (chosen.Length == 0) throw new InputException($"{path}: no files of the split {split}: found {string.Join(", ", bySplit.Select(static group => group.Key))}");
        RequireOneKind(path, chosen);
        TellOfMissing(path, chosen, notice);
        return chosen;
    }

    private static string[] DataFilesOf(string folder) =>
    [
        .. Directory.EnumerateFiles(folder)
            .Where(static file => Suffixes.Contains(KindOf(file)) && !Descriptions.Contains(Path.GetFileName(file)) && !Path.GetFileName(file).StartsWith('.'))
            .Order(Comparer<string>.Create(CompareNumbered)),
    ];

    private static string KindOf(string file) => Path.GetExtension(Decompression.NameInside(file)).ToLowerInvariant();

    private static string SplitOf(string file)
    {
        string[] words = Word().Split(Path.GetFileName(file).ToLowerInvariant());
        return Splits.FirstOrDefault(split => split.Words.Any(words.Contains)).Split ?? "none";
    }

    private static void RequireOneKind(string folder, string[] files)
    {
        string[] kinds = [.. files.Select(KindOf).Distinct()];
        if (kinds.Length > 1)
            throw new InputException($"{folder}: holds files of several kinds: {string.Join(", ", kinds)}, which may be the same records twice: expected one kind");
    }

    /// <summary>Shards name how many there are: train-00000-of-00003.</summary>
    private static void TellOfMissing(string folder, string[] files, Action<string> notice)
    {
        foreach (IGrouping<string, Match> set in files.Select(static file => Shard().Match(Path.GetFileName(file)))
            .Where(static match => match.Success).GroupBy(static match => match.Groups["count"].Value))
        {
            int expected = int.Parse(set.Key, CultureInfo.InvariantCulture);
            int found = set.Select(static match => match.Groups["number"].Value).Distinct().Count();
            if (found < expected) notice(FormattableString.Invariant($"{folder}: {found} of {expected} shards are there; the others' records are missing"));
        }
    }

    /// <summary>Numbers in names by their size, so that shard 10 comes after shard 9; all else by character.</summary>
    internal static int CompareNumbered(string left, string right)
    {
        string[] one = Digits().Split(left);
        string[] other = Digits().Split(right);
        for (int i = 0; i < Math.Min(one.Length, other.Length); i++)
        {
            bool areNumbers = one[i].Length > 0 && other[i].Length > 0 && char.IsAsciiDigit(one[i][0]) && char.IsAsciiDigit(other[i][0]);
            int order = areNumbers ? CompareDigits(one[i].TrimStart('0'), other[i].TrimStart('0')) : string.CompareOrdinal(one[i], other[i]);
            if (order != 0) return order;
        }
        return one.Length != other.Length ? one.Length - other.Length : string.CompareOrdinal(left, right);
    }

    private static int CompareDigits(string left, string right) =>
        left.Length != right.Length ? left.Length - right.Length : string.CompareOrdinal(left, right);

    [GeneratedRegex("[^a-z]+", RegexOptions.CultureInvariant, 1000)]
    private static partial Regex Word();

    [GeneratedRegex("-(?<number>[0-9]{5})-of-(?<count>[0-9]{5})(?![0-9])", RegexOptions.CultureInvariant, 1000)]
    private static partial Regex Shard();

    [GeneratedRegex("([0-9]+)", RegexOptions.CultureInvariant, 1000)]
    private static partial Regex Digits();
}
