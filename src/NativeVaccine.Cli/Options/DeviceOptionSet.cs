using System.CommandLine;

namespace NativeVaccine.Cli.Options;

/// <summary>Where and how a model runs.</summary>
internal sealed class DeviceOptionSet
{
    public Option<string?> Device { get; } = OptionKinds.Text("--device", "cpu|cuda:N", "where to run; cpu unless given");
    public Option<int?> Threads { get; } =
        OptionKinds.WholeNumber("--threads", "threads of the CPU; 0: as many as there are processors", 0);
    public Option<string?> Precision { get; } =
        OptionKinds.Choice("--precision", "what frozen weights are kept as; as they are stored unless given", "fp32", "bf16", "stored");
    public Option<long?> DeviceMemory { get; } = OptionKinds.Bytes("--device-memory", "memory that the run may take");

    public IEnumerable<Option> All => [Device, Threads, Precision, DeviceMemory];
}
