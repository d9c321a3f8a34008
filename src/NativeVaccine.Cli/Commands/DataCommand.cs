using System.CommandLine;
using NativeVaccine.Data.Sets;

namespace NativeVaccine.Cli.Commands;

/// <summary>Makes training data and prompts of the files of data sets: the verbs below it say of which.</summary>
internal sealed class DataCommand : Command
{
    public DataCommand(CommandContext context) : base(
        "data",
        "Make training data, pairs and prompts of the files that data sets are published in (.parquet, .json, .jsonl, .csv, .tsv; also packed: .gz, .xz; "
        + "or a folder of them)")
    {
        foreach (DataSet set in DataSetCatalog.All) Add(new DataSetCommand(set, context));
        Add(new DataMixCommand(context));
    }
}
