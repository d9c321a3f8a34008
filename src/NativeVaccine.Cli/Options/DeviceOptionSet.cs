using System.CommandLine;
using NativeVaccine.Engine;

namespace NativeVaccine.Cli.Options;

/// <summary>Where and how a model runs.</summary>
internal sealed class DeviceOptionSet
{
    public Option<string?> Device { get; } = OptionKinds.Text("--device", "cpu|cuda:N", "where to run; cpu unless given");
    public Option<int?> Threads { get; } =
        OptionKinds.WholeNumber("--threads", "threads of the CPU; 0: as many as there are processors", 0);
    public Option<string?> Precision { get; } = OptionKinds.Choice(
        "--precision",
        "what frozen weights are kept as, and on a GPU computed in; as they are stored on a CPU, bf16 on a GPU unless given",
        "fp32",
        "bf16",
        "stored");
    public Option<string?> Gemm { get; } =
        OptionKinds.Words<GemmChoice>("--gemm", "the GEMM backend of a GPU: our kernels, or cuBLAS; auto unless given");
    public Option<long?> DeviceMemory { get; } = OptionKinds.Bytes(
        "--device-memory", "memory that the run may take; on a GPU what is free less 512 MiB, on a CPU without limit unless given");

    public IEnumerable<Option> All => [Device, Threads, Precision, Gemm, DeviceMemory];

    /// <summary>Opens the device that was named.</summary>
    public Device Open(ParseResult parsed) => Engine.Device.Open(
        parsed.GetValue(Device) ?? "cpu", parsed.GetValue(Threads) ?? 0, OptionKinds.Word(parsed, Gemm, GemmChoice.Auto));
}
