using NativeVaccine.Cli.Demo;
using NativeVaccine.Cli.Output;

namespace NativeVaccine.Cli.Commands;

/// <summary>What every verb is given.</summary>
/// <param name="Terminal">Where it writes.</param>
/// <param name="Interruption">Asks it to stop.</param>
internal sealed record CommandContext(Terminal Terminal, Interruption Interruption)
{
    /// <summary>How large the demo is; smaller in tests.</summary>
    public DemoSettings Demo { get; init; } = new();
}
