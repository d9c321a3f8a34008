using System.CommandLine;
using NativeVaccine.Cli.Options;
using NativeVaccine.IO;
using NativeVaccine.Models;
using NativeVaccine.Training;

namespace NativeVaccine.Cli.Commands;

/// <summary>Writes one adapter for a chain of adapters.</summary>
internal sealed class ExportPeftCommand : Verb
{
    private readonly ModelSelection selection = new();
    private readonly Option<string?> output = OptionKinds.Text("--out", "DIR", "folder of the adapter, new or empty");

    public ExportPeftCommand(CommandContext context) : base(
        "peft",
        "Write one adapter for a chain of them, which peft loads without merging",
        "nvaccine export peft --run ./runs/attacked --out ./one-adapter",
        context)
    {
        output.Required = true;
        AddAll([.. selection.All, output, ConfigurationFile.CreateOption()]);
    }

    /// <inheritdoc/>
    protected override int Execute(ParseResult parsed)
    {
        string path = parsed.GetRequiredValue(output)!;
        AtomicFolder.RequireFree(path);
        SelectedModel selected = selection.Read(parsed, Terminal.Error.WriteLine);
        if (selected.Adapters.Count == 0)
            throw new InputException("nvaccine export peft: expected --adapter, or --run of a run that trained one");
        using ModelFolder folder = ModelFolder.Open(selected.Model);
        List<Adapter> chain = selected.LoadAdapters(folder, Terminal.Error.WriteLine);
        var sum = AdapterSum.Of(chain, folder.Configuration);
        var record = new AdapterRecord
        {
            Model = Path.GetFullPath(selected.Model),
            Template = selected.Run?.Template ?? ModelSelection.TemplateOf(selected.Adapters),
            StandsOn = [],
            Versions = Versions.Current(),
        };
        sum.Save(path, record.Write);
        UniformLora form = sum.RequireUniform(path);
        string targets = string.Join(',', form.Targets.Select(static target => target.HuggingFaceName()));
        Terminal.Error.WriteLine(FormattableString.Invariant($"wrote {path} (rank {form.Rank}, alpha {form.Alpha} for each of {targets})"));
        return ExitCode.Success;
    }
}
