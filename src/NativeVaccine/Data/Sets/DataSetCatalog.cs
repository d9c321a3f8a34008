namespace NativeVaccine.Data.Sets;

/// <summary>The data sets that can be read.</summary>
public static class DataSetCatalog
{
    /// <summary>All of them, in the order of help.</summary>
    public static IReadOnlyList<DataSet> All { get; } =
    [
        new RefusalSet(), new BeaverTailsSet(), new DecodingTrustSet(), new Sst2Set(), new AgNewsSet(), new Gsm8kSet(), new AlpacaSet(), new ChatSet(),
        new PromptsSet(),
    ];
}
