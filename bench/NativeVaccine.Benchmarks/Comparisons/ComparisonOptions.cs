namespace NativeVaccine.Benchmarks.Comparisons;

/// <summary>What the command line said.</summary>
/// <param name="Verb">Which comparison.</param>
/// <param name="Only">Rows are kept whose names contain it; null for all.</param>
internal sealed record ComparisonOptions(string Verb, string? Only)
{
    /// <summary>What <see cref="Parse"/> reads them from.</summary>
    public string[] Arguments => Only is null ? [Verb] : [Verb, "--only", Only];

    /// <summary>The command that repeats the run.</summary>
    public string Command =>
        $"dotnet run -c Release --project bench/NativeVaccine.Benchmarks -- {Verb}" + (Only is null ? "" : $" --only '{Only}'");

    /// <summary>Reads the command line.</summary>
    /// <exception cref="InputException">It has something else than a verb and --only.</exception>
    public static ComparisonOptions Parse(string[] arguments) => arguments switch
    {
        [string verb] => new ComparisonOptions(verb, null),
        [string verb, "--only", string text] => new ComparisonOptions(verb, text),
        _ => throw new InputException($"'{string.Join(' ', arguments)}' is not understood; expected a verb, and perhaps --only TEXT"),
    };

    /// <summary>True if the row is asked for.</summary>
    public bool Wants(string row) => Only is null || row.Contains(Only, StringComparison.OrdinalIgnoreCase);
}
