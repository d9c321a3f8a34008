using System.CommandLine;
using System.Globalization;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using NativeVaccine.Cli.Options;
using NativeVaccine.Engine;
using Spectre.Console;

namespace NativeVaccine.Cli.Commands;

/// <summary>Looks at the machine and says what can run on it, and what to do where something is missing.</summary>
internal sealed class DoctorCommand(CommandContext context) : Verb(
    "doctor", "Show processor, memory, devices and versions, and whether the engine works here", "nvaccine doctor", context)
{
    private const string Cpu = "cpu";
    private const string PtxMachine = "ptxmachine";

    /// <inheritdoc/>
    protected override int Execute(ParseResult parsed)
    {
        var table = new Table().HideHeaders().AddColumn("").AddColumn("");
        AddMachine(table);
        List<string> steps = [];
        bool works = AddEngine(table, steps);
        Terminal.Write(table);
        foreach (string step in steps) Terminal.Out.WriteLine(step);
        return works ? ExitCode.Success : ExitCode.Failed;
    }

    private static void AddMachine(Table table)
    {
        string version =
            typeof(DoctorCommand).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "?";
        Add(table, "nvaccine", version.Split('+')[0]);
        string system = $"{RuntimeInformation.OSDescription} ({RuntimeInformation.ProcessArchitecture})";
        Add(table, "runtime", $"{RuntimeInformation.FrameworkDescription} on {system}");
        Add(table, "instructions", Instructions());
        Add(table, "processors", Environment.ProcessorCount.ToString(CultureInfo.InvariantCulture));
        Add(table, "memory", ByteSize.Format(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes));
    }

    /// <returns>Whether the engine for this processor works; one for GPUs is more than every machine needs.</returns>
    private static bool AddEngine(Table table, List<string> steps)
    {
        foreach (EngineStatus engine in Device.Survey()) AddDevices(table, steps, engine);
        try
        {
            using Device processor = Device.Open();
            Add(table, "engine", $"works: {processor.EngineDescription}, {processor.Info.Threads} threads");
            return true;
        }
        catch (InputException exception)
        {
            Add(table, "engine", "does not work");
            steps.Add($"The engine cannot be used: {exception.Message}");
            steps.Add("Build it with 'dotnet build -c Release' at the repository's root; that needs CMake 3.21 and a C++17 compiler.");
            return false;
        }
    }

    private static void AddDevices(Table table, List<string> steps, EngineStatus engine)
    {
        foreach ((int index, DeviceInfo device) in engine.Devices.Index())
        {
            string memory = $"{ByteSize.Format(device.FreeBytes)} of {ByteSize.Format(device.TotalBytes)} free";
            if (device.ComputeCapability is not { } capability)
            {
                Add(table, "cpu", string.Create(CultureInfo.InvariantCulture, $"{device.Name}, {device.Threads} threads, {memory}"));
                continue;
            }
            Add(table, string.Create(CultureInfo.InvariantCulture, $"cuda:{index}"), string.Create(
                CultureInfo.InvariantCulture,
                $"{device.Name}, compute capability {capability}, {device.Threads} multiprocessors, {memory}"));
            string multiplies = device.Gemm == GemmChoice.Cublas ? "cuBLAS" : "our own kernels";
            Add(table, "", $"driver for CUDA {device.DriverVersion}, engine's runtime {device.RuntimeVersion}; {multiplies} multiply matrices (--gemm)");
            if (device.Name.StartsWith(PtxMachine, StringComparison.Ordinal))
                Add(table, "", "this is no GPU: ptxmachine interprets the kernels on the CPU, for tests");
        }
        if (engine.Name == Cpu) return; // tried below
        if (!engine.IsInstalled) Add(table, "cuda engine", "not installed; dotnet build -c Release -p:Cuda=true builds it");
        if (engine is { IsInstalled: true, Problem: null, Devices.Count: 0 })
            Add(table, "cuda engine", "the driver sees no GPU; nvidia-smi must list one, and CUDA_VISIBLE_DEVICES must not hide it");
        if (engine.Problem is null) return;
        Add(table, "cuda engine", "cannot be used");
        steps.Add($"The cuda engine cannot be used: {engine.Problem}");
    }

    private static string Instructions()
    {
        string[] sets =
        [
            .. Avx512F.IsSupported ? ["AVX-512"] : Array.Empty<string>(),
            .. Avx2.IsSupported ? ["AVX2"] : Array.Empty<string>(),
            .. Fma.IsSupported ? ["FMA"] : Array.Empty<string>(),
        ];
        return sets.Length > 0 ? string.Join(", ", sets) : "no vector extensions that the engine uses; it will be slow";
    }

    private static void Add(Table table, string name, string value) => table.AddRow(Markup.Escape(name), Markup.Escape(value));
}
