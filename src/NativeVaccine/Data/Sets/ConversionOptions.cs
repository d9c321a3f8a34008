using NativeVaccine.Training;

namespace NativeVaccine.Data.Sets;

/// <summary>Which duplicates are left out.</summary>
public enum Uniqueness
{
    /// <summary>None: they are only counted.</summary>
    None,

    /// <summary>Records whose prompt and answer an earlier one has.</summary>
    Records,

    /// <summary>Records whose prompt an earlier one has.</summary>
    Prompts,
}

/// <summary>What is made of a data set's files.</summary>
/// <param name="Set">The data set.</param>
/// <param name="From">A file, or a folder of them.</param>
/// <param name="Out">The file to write: .json (an array), or JSON lines.</param>
public sealed record ConversionOptions(DataSet Set, string From, string Out)
{
    /// <summary>train, validation or test, of a folder that has several; null for one that has not.</summary>
    public string? Split { get; init; }

    /// <summary>The kind of records, of <see cref="DataSet.Kinds"/>, or all.</summary>
    public string Kind { get; init; } = DataSet.AllKinds;

    /// <summary>What becomes of them.</summary>
    public RecordForm Form { get; init; }

    /// <summary>Whose rules count.</summary>
    public Preset Preset { get; init; }

    /// <summary>The field with the question, of a set that takes one; null for those that it knows.</summary>
    public string? Field { get; init; }

    /// <summary>How many records, of those that would be written, are passed over.</summary>
    public int Skip { get; init; }

    /// <summary>How many records are written at most; reading ends there.</summary>
    public int Limit { get; init; } = int.MaxValue;

    /// <summary>Which duplicates are left out.</summary>
    public Uniqueness Unique { get; init; }

    /// <summary>Refuse the file at the first record that does not fit, instead of leaving it out.</summary>
    public bool IsStrict { get; init; }

    /// <summary>Other pools, in which records are looked for.</summary>
    public IReadOnlyList<string> Against { get; init; } = [];

    /// <summary>How records would become sequences, to count what is cut; null if nobody asks.</summary>
    public SampleForm? Length { get; init; }
}
