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
    /// <inheritdoc/>
    protected override int Execute(ParseResult parsed)
    {
        var table = new Table().HideHeaders().AddColumn("").AddColumn("");
        AddMachine(table);
        List<string> steps = [];
        AddEngine(table, steps);
        Terminal.Write(table);
        foreach (string step in steps) Terminal.Out.WriteLine(step);
        return steps.Count == 0 ? ExitCode.Success : ExitCode.Failed;
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

    private static void AddEngine(Table table, List<string> steps)
    {
        try
        {
            foreach (DeviceInfo device in Device.List())
            {
                string memory = $"{ByteSize.Format(device.FreeBytes)} of {ByteSize.Format(device.TotalBytes)} free";
                string kind = device.ComputeCapability is { } capability ? $"GPU, compute capability {capability}" : "CPU";
                Add(table, kind, string.Create(CultureInfo.InvariantCulture, $"{device.Name}, {device.Threads} threads, {memory}"));
            }
            using Device processor = Device.Open();
            Add(table, "engine", $"works: {processor.EngineDescription}, {processor.Info.Threads} threads");
        }
        catch (InputException exception)
        {
            Add(table, "engine", "does not work");
            steps.Add($"The engine cannot be used: {exception.Message}");
            steps.Add("Build it with 'dotnet build -c Release' at the repository's root; that needs CMake 3.21 and a C++17 compiler.");
        }
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
