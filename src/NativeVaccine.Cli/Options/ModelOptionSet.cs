using System.CommandLine;

namespace NativeVaccine.Cli.Options;

/// <summary>Which model a verb uses: a folder, and adapters to merge into it.</summary>
internal sealed class ModelOptionSet
{
    public Option<string?> Model { get; } = Required(OptionKinds.Text("--model", "DIR", "Hugging Face folder of the model"));
    public Option<string[]> Adapters { get; } =
        OptionKinds.Repeated("--adapter", "DIR", "PEFT adapter; may be repeated, merged in the order given");
    public DeviceOptionSet Device { get; } = new();

    public IEnumerable<Option> All => [Model, Adapters, .. Device.All];

    private static Option<string?> Required(Option<string?> option)
    {
        option.Required = true;
        return option;
    }
}
