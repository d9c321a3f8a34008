using System.CommandLine;

namespace NativeVaccine.Cli.Commands;

/// <summary>Writes what a run made in a form for other programs: the verbs below it say which.</summary>
internal sealed class ExportCommand : Command
{
    public ExportCommand(CommandContext context) : base("export", "Write adapters for other programs") => Add(new ExportPeftCommand(context));
}
