using System.CommandLine;
using NativeVaccine.Cli.Options;
using NativeVaccine.IO;
using NativeVaccine.Models;
using NativeVaccine.Training;

namespace NativeVaccine.Cli.Commands;

/// <summary>Bakes adapters into a model folder.</summary>
internal sealed class MergeCommand : Verb
{
    private readonly ModelSelection selection = new();
    private readonly Option<string?> output = OptionKinds.Text("--out", "DIR", "folder of the merged model, new or empty");
    private readonly Option<string?> type =
        OptionKinds.Choice("--dtype", "what the weights are written as; as they are stored unless given", "fp32", "fp16", "bf16");

    public MergeCommand(CommandContext context) : base(
        "merge",
        "Write a model folder with adapters merged into its weights",
        "nvaccine merge --run ./runs/aligned --out ./llama-2-7b-aligned --dtype bf16",
        context)
    {
        output.Required = true;
        AddAll([.. selection.All, output, type, ConfigurationFile.CreateOption()]);
    }

    /// <inheritdoc/>
    protected override int Execute(ParseResult parsed)
    {
        string path = parsed.GetRequiredValue(output)!;
        AtomicFolder.RequireFree(path);
        SelectedModel selected = selection.Read(parsed, Terminal.Error.WriteLine);
        if (selected.Adapters.Count == 0) throw new InputException("nvaccine merge: expected --adapter, or --run of a run that trained one");
        using ModelFolder folder = ModelFolder.Open(selected.Model);
        List<Adapter> loaded = selected.LoadAdapters(folder, Terminal.Error.WriteLine);
        ElementType elementType = parsed.GetValue(type) switch
        {
            "fp32" => ElementType.Float32,
            "fp16" => ElementType.Float16,
            "bf16" => ElementType.BFloat16,
            _ => folder.StoredType,
        };
        Terminal.Error.WriteLine($"merging {loaded.Count} adapter{(loaded.Count == 1 ? "" : "s")} into {folder.Path}");
        HashedWeights? stored = AdapterChain.KnowsItsModel(selected.Adapters) ? new HashedWeights(folder) : null;
        IReadOnlyList<KeptChange> kept =
            ModelMerger.Merge(folder, loaded, path, elementType, notice: Terminal.Error.WriteLine, weights: stored);
        if (stored is not null) AdapterChain.NoteOtherModel(selected.Adapters, selected.Model, stored.Hash(), Terminal.Error.WriteLine);
        foreach (KeptChange change in kept)
        {
            if (change.Describe(WayOut(elementType)) is { } line) Terminal.Error.WriteLine(line);
        }
        Terminal.Error.WriteLine($"wrote {path} ({elementType.TorchName()})");
        return ExitCode.Success;
    }

    private static string WayOut(ElementType type) => type == ElementType.BFloat16
        ? "--dtype fp32 keeps it (fp16 most of it), and so does using the adapter beside the model, without merge"
        : "--dtype fp32 keeps it, and so does using the adapter beside the model, without merge";
}
