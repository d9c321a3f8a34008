using System.CommandLine;
using NativeVaccine.Cli.Options;
using NativeVaccine.Cli.Output;

namespace NativeVaccine.Cli.Commands;

/// <summary>A verb that asks a model: opening it with its adapters on its device is the same for all.</summary>
internal abstract class ModelVerb(string name, string description, string example, CommandContext context)
    : Verb(name, description, example, context)
{
    private readonly ModelOptionSet modelOptions = new();

    /// <summary>The options that say which model, and where.</summary>
    protected IEnumerable<Option> ModelOptions => modelOptions.All;

    /// <summary>The options that say where.</summary>
    protected DeviceOptionSet Device => modelOptions.Device;

    /// <summary>The file for the result.</summary>
    protected Option<string?> Json { get; } = OptionKinds.JsonOutput();

    /// <inheritdoc/>
    protected sealed override int Execute(ParseResult parsed)
    {
        Prepare(parsed);
        if (ExecuteWithoutModel(parsed) is { } exitCode) return exitCode;
        using LoadedModel model = LoadedModel.Open(modelOptions, parsed, parsed.GetValue(Json) is not null, Terminal.Error.WriteLine);
        return Execute(model, parsed);
    }

    /// <summary>Reads what can be refused before a model is opened.</summary>
    protected virtual void Prepare(ParseResult parsed)
    {
    }

    /// <summary>Does it if what was asked needs no model.</summary>
    /// <returns>The exit code; null if it needs one.</returns>
    protected virtual int? ExecuteWithoutModel(ParseResult parsed) => null;

    /// <summary>Does it.</summary>
    /// <returns>The exit code.</returns>
    protected abstract int Execute(LoadedModel model, ParseResult parsed);

    /// <summary>Adds the options of the model, the verb's own, and those for the result and for a file of options.</summary>
    protected void AddWithModel(params IEnumerable<Option> own) => AddAll([.. modelOptions.All, .. own, Json, ConfigurationFile.CreateOption()]);

    /// <summary>Does something with progress bars.</summary>
    protected T WithProgress<T>(Func<ProgressDisplay, T> work) => ProgressDisplay.Run(Terminal, work);
}
