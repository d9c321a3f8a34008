using System.CommandLine;

namespace NativeVaccine.Cli.Options;

/// <summary>Which model a verb uses, and where it runs.</summary>
internal sealed class ModelOptionSet
{
    public ModelSelection Selection { get; } = new();
    public DeviceOptionSet Device { get; } = new();

    public IEnumerable<Option> All => [.. Selection.All, .. Device.All];
}
