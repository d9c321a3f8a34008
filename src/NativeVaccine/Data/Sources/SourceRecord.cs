using System.Text.Json;

namespace NativeVaccine.Data.Sources;

/// <summary>A record of a data file: named fields, whatever kind of file they come from.</summary>
/// <param name="Where">File and line (from 1), or file and row (from 0, as Parquet's own tools count), for messages.</param>
/// <param name="Value">The fields; valid only until the next record is read. Undefined where there is a <paramref name="Problem"/>.</param>
/// <param name="Problem">Why there is no record here, as a whole line with the place; null if there is one.</param>
internal readonly record struct SourceRecord(string Where, JsonElement Value, string? Problem = null)
{
    /// <summary>The names of the classes that the file itself declares for fields of whole numbers (datasets' ClassLabel), by field.</summary>
    public IReadOnlyDictionary<string, string[]>? ClassNames { get; init; }
}
