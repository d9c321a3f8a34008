using Apache.Arrow;
using Apache.Arrow.Types;

namespace NativeVaccine.Data.Sources;

/// <summary>A column of a Parquet file, or a part of one.</summary>
/// <param name="Name">Its name.</param>
/// <param name="IsJson">Whether its texts are JSON, which stands for the values in it (the logical type JSON; datasets 5 writes it where
/// records differ).</param>
/// <param name="Parts">The fields of a struct, or the one element of a list.</param>
internal sealed record ArrowColumn(string Name, bool IsJson, ArrowColumn[] Parts)
{
    private const string ExtensionName = "ARROW:extension:name";
    private const string JsonExtension = "arrow.json";

    /// <summary>The columns of a schema.</summary>
    /// <param name="schema">As Arrow sees the file.</param>
    /// <param name="isJson">Tells of a Parquet column, by its number, whether it is of logical type JSON. Parquet numbers the leaves.</param>
    public static ArrowColumn[] Of(Schema schema, Func<int, bool> isJson)
    {
        int leaf = 0;
        return [.. schema.FieldsList.Select(field => Of(field, isJson, ref leaf))];
    }

    private static ArrowColumn Of(Field field, Func<int, bool> isJson, ref int leaf)
    {
        Field[] parts = field.DataType switch
        {
            StructType type => [.. type.Fields],
            MapType type => [type.KeyValueType is { } pair ? new Field("entries", pair, nullable: false) : type.ValueField],
            ListType type => [type.ValueField],
            LargeListType type => [type.ValueField],
            ListViewType type => [type.ValueField],
            FixedSizeListType type => [type.ValueField],
            _ => [],
        };
        if (parts.Length == 0)
        {
            bool isMarked = field.HasMetadata && field.Metadata.TryGetValue(ExtensionName, out string? name) && name == JsonExtension;
            return new ArrowColumn(field.Name, isJson(leaf++) || isMarked, []);
        }
        var columns = new ArrowColumn[parts.Length];
        for (int i = 0; i < parts.Length; i++) columns[i] = Of(parts[i], isJson, ref leaf);
        return new ArrowColumn(field.Name, IsJson: false, columns);
    }
}
