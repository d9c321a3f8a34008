using NativeVaccine.Cli.Demo;
using NativeVaccine.Cli.Output;

namespace NativeVaccine.Cli.Commands;

/// <summary>What every verb is given.</summary>
/// <param name="Terminal">Where it writes.</param>
/// <param name="Cancellation">Asks it to stop.</param>
internal sealed record CommandContext(Terminal Terminal, CancellationToken Cancellation)
{
    /// <summary>How large the demo is; smaller in tests.</summary>
    public DemoSettings Demo { get; init; } = new();
}
