using System.CommandLine;
using NativeVaccine.Models;
using NativeVaccine.Training;

namespace NativeVaccine.Cli.Options;

/// <summary>A model with the adapters to merge into it.</summary>
/// <param name="Model">Its folder.</param>
/// <param name="Adapters">Their folders, in the order in which they are merged, each with what it stands on before it.</param>
/// <param name="Run">The options of the run that <c>--run</c> names, whose template is the default; null without <c>--run</c>.</param>
internal sealed record SelectedModel(string Model, IReadOnlyList<string> Adapters, TrainingOptions? Run)
{
    /// <summary>The name of the template that the model was trained with, as far as that is known.</summary>
    public string Template => Run?.Template ?? ModelSelection.TemplateOf(Adapters) ?? ModelSelection.TemplateOf([Model]) ?? "alpaca";

    /// <summary>Reads the adapters, and says what is to be known of them and of the model.</summary>
    /// <param name="folder">The model, open.</param>
    /// <param name="notice">Told in a line each.</param>
    /// <exception cref="InputException">One is missing, broken, or does not fit.</exception>
    public List<Adapter> LoadAdapters(ModelFolder folder, Action<string> notice)
    {
        List<Adapter> adapters = Adapter.LoadChain(Adapters, folder);
        foreach (string line in folder.Notices.Concat(adapters.SelectMany(static adapter => adapter.Notices))) notice(line);
        return adapters;
    }
}

/// <summary>The options that say which model a verb uses: a folder and adapters, or a run for both.</summary>
internal sealed class ModelSelection
{
    public Option<string?> Model { get; } = OptionKinds.Text("--model", "DIR", "Hugging Face folder of the model");
    public Option<string[]> Adapters { get; } = OptionKinds.Repeated(
        "--adapter", "DIR", "PEFT adapter; may be repeated, merged in the order given, each after those that it was trained on top of");
    public Option<string?> Run { get; } = CreateRunOption();

    public IEnumerable<Option> All => [Model, Adapters, Run];

    /// <summary>The option that stands for a model and its adapters.</summary>
    public static Option<string?> CreateRunOption() => OptionKinds.Text(
        "--run", "RUN", "folder of a finished run: stands for --model and all --adapter, and gives the template");

    /// <summary>The template that the last of some adapters, or a model, was trained with; null where it does not say.</summary>
    public static string? TemplateOf(IReadOnlyList<string> folders) => folders.Count == 0 ? null : AdapterRecord.Find(folders[^1])?.Template;

    /// <summary>What was given.</summary>
    /// <param name="parsed">The command line.</param>
    /// <param name="notice">Receives a line for every adapter whose base is added.</param>
    /// <exception cref="InputException">Nothing, or too much, or the run or a base cannot be used.</exception>
    public SelectedModel Read(ParseResult parsed, Action<string> notice)
    {
        string[] adapters = parsed.GetValue(Adapters)!;
        if (OpenRun(parsed, Run, Model, Adapters) is { } run) return new SelectedModel(run.Model, run.Adapters, run.Options);
        string model = parsed.GetValue(Model)
            ?? throw new InputException($"{ParseErrors.NameOf(parsed)}: expected --model, or --run for a finished run");
        return new SelectedModel(model, AdapterChain.Complete(adapters, notice), null);
    }

    /// <summary>The run that was given in the place of a model and adapters; null if none was.</summary>
    /// <exception cref="InputException">They were given too, or the run cannot be used.</exception>
    public static FinishedRun? OpenRun(ParseResult parsed, Option<string?> run, Option<string?> model, Option<string[]> adapters)
    {
        if (parsed.GetValue(run) is not { } folder) return null;
        if (parsed.FirstGiven([model, adapters]) is { } other)
            throw new InputException($"{ParseErrors.NameOf(parsed)}: {other.Name} cannot be given with --run, which stands for it");
        return FinishedRun.Open(folder);
    }
}
