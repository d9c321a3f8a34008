using System.CommandLine;
using System.Globalization;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using NativeVaccine.Cli.Options;
using NativeVaccine.Engine;
using Spectre.Console;

namespace NativeVaccine.Cli.Commands;

/// <summary>Looks at the machine and says what can run on it, and what to do where something is missing.</summary>
internal sealed class DoctorCommand : Verb
{
    private const string Cpu = "cpu";
    private const string PtxMachine = "ptxmachine";
    private readonly Option<string?> json = OptionKinds.JsonOutput();

    public DoctorCommand(CommandContext context) : base(
        "doctor", "Show processor, memory, devices and versions, and whether the engine works here", "nvaccine doctor", context) => Add(json);

    /// <inheritdoc/>
    protected override int Execute(ParseResult parsed)
    {
        IReadOnlyList<EngineStatus> engines = Device.Survey();
        List<string> steps = [.. engines.Where(static engine => engine is { Name: not Cpu, Problem: not null })
            .Select(static engine => $"The {engine.Name} engine cannot be used: {engine.Problem}")];
        string? description = TryEngine(steps);
        WriteJsonOr(parsed.GetValue(json), ToJson(engines, description, steps), () =>
        {
            var table = new Table().HideHeaders().AddColumn("").AddColumn("");
            Add(table, "nvaccine", Version);
            Add(table, "runtime", $"{RuntimeInformation.FrameworkDescription} on {RuntimeInformation.OSDescription} ({RuntimeInformation.ProcessArchitecture})");
            Add(table, "processors", Environment.ProcessorCount.ToString(CultureInfo.InvariantCulture));
            foreach (EngineStatus engine in engines) AddDevices(table, engine);
            Add(table, "engine", description is null ? "does not work" : $"works: {description}");
            Terminal.Write(table);
            foreach (string step in steps) Terminal.Out.WriteLine(step);
        });
        return description is null ? ExitCode.Failed : ExitCode.Success;
    }

    private static string Version =>
        (typeof(DoctorCommand).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "?").Split('+')[0];

    /// <returns>What the engine for this processor is, by its own words; null if it does not work. One for GPUs is more than every machine needs.</returns>
    private static string? TryEngine(List<string> steps)
    {
        try
        {
            using Device processor = Device.Open();
            return processor.EngineDescription;
        }
        catch (InputException exception)
        {
            steps.Add($"The engine cannot be used: {exception.Message}");
            steps.Add("Build it with 'dotnet build -c Release' at the repository's root; that needs CMake 3.21 and a C++17 compiler.");
            return null;
        }
    }

    private static void AddDevices(Table table, EngineStatus engine)
    {
        foreach ((int index, DeviceInfo device) in engine.Devices.Index())
        {
            string memory = $"{ByteSize.Format(device.FreeBytes)} of {ByteSize.Format(device.TotalBytes)} free";
            if (device.ComputeCapability is not { } capability)
            {
                Add(table, Cpu, string.Create(CultureInfo.InvariantCulture, $"{device.Name}, {device.Threads} threads, {memory}"));
                Add(table, "instructions", WordsFor(device.Instructions));
                continue;
            }
            Add(table, NameOf(device, index), string.Create(
                CultureInfo.InvariantCulture,
                $"{device.Name}, compute capability {capability}, {device.Threads} multiprocessors, {memory}"));
            string multiplies = device.Gemm == GemmChoice.Cublas ? "cuBLAS" : device.HasCublas ? "our own kernels" : "our own kernels (cuBLAS is not installed)";
            Add(table, "", $"driver for CUDA {device.DriverVersion}, engine's runtime {device.RuntimeVersion}; {multiplies} multiply matrices (--gemm)");
            if (device.Name.StartsWith(PtxMachine, StringComparison.Ordinal))
                Add(table, "", "this is no GPU: ptxmachine interprets the kernels on the CPU, for tests");
        }
        if (engine.Name == Cpu) return; // tried by itself
        if (!engine.IsInstalled) Add(table, "cuda engine", "not installed; dotnet build -c Release -p:Cuda=true builds it (nvaccine plan --device cuda:0 does without)");
        if (engine is { IsInstalled: true, Problem: null, Devices.Count: 0 })
            Add(table, "cuda engine", "the driver sees no GPU; nvidia-smi must list one, and CUDA_VISIBLE_DEVICES must not hide it");
        if (engine.Problem is not null) Add(table, "cuda engine", "cannot be used");
    }

    private static JsonObject ToJson(IReadOnlyList<EngineStatus> engines, string? description, List<string> steps) => new()
    {
        ["version"] = Version,
        ["runtime"] = RuntimeInformation.FrameworkDescription,
        ["system"] = RuntimeInformation.OSDescription,
        ["architecture"] = RuntimeInformation.ProcessArchitecture.ToString(),
        ["processors"] = Environment.ProcessorCount,
        ["works"] = description is not null,
        ["engine"] = description,
        ["cuda_engine_installed"] = engines.Any(static engine => engine is { Name: not Cpu, IsInstalled: true }),
        ["devices"] = new JsonArray([.. engines.SelectMany(static engine => engine.Devices.Index().Select(static device => (JsonNode)ToJson(device.Item, device.Index)))]),
        ["problems"] = new JsonArray([.. steps.Select(static step => (JsonNode)step)]),
    };

    private static JsonObject ToJson(DeviceInfo device, int index) => new()
    {
        ["device"] = NameOf(device, index),
        ["name"] = device.Name,
        [device.ComputeCapability is null ? "threads" : "multiprocessors"] = device.Threads,
        ["instructions"] = device.Instructions,
        ["total_bytes"] = device.TotalBytes,
        ["free_bytes"] = device.FreeBytes,
        ["compute_capability"] = device.ComputeCapability?.ToString(),
        ["driver_version"] = device.DriverVersion?.ToString(),
        ["runtime_version"] = device.RuntimeVersion?.ToString(),
        ["cublas"] = device.ComputeCapability is null ? null : device.HasCublas,
        ["gemm"] = device.ComputeCapability is null ? null : device.Gemm.ToString().ToLowerInvariant(),
    };

    /// <summary>What the engine itself chose, not what .NET was compiled for.</summary>
    private static string WordsFor(string? instructions) => instructions switch
    {
        "avx512" => "AVX-512",
        "avx2" => "AVX2",
        "plain" => "no vector extensions that the engine uses; it will be slow",
        _ => instructions ?? "unknown",
    };

    private static string NameOf(DeviceInfo device, int index) =>
        device.ComputeCapability is null ? Cpu : string.Create(CultureInfo.InvariantCulture, $"cuda:{index}");

    private static void Add(Table table, string name, string value) => table.AddRow(Markup.Escape(name), Markup.Escape(value));
}
