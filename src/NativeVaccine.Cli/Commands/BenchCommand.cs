using System.CommandLine;

namespace NativeVaccine.Cli.Commands;

/// <summary>Measures the engine on this machine: the verbs below it say what.</summary>
internal sealed class BenchCommand : Command
{
    public BenchCommand(CommandContext context) : base("bench", "Measure the engine on this machine") => Add(new BenchStepCommand(context));
}
