using System.Runtime.InteropServices;
using NativeVaccine.Cli.Output;
using NativeVaccine.IO;

namespace NativeVaccine.Cli;

/// <summary>
/// Turns Ctrl-C, a request to terminate and a terminal that hangs up into a cancellation. A verb answers it within a second, or is ended
/// then, unless it has something to save first. The second signal always ends the process at once. What it was writing is removed.
/// </summary>
internal sealed partial class Interruption : IDisposable
{
    private const string ShowCursor = "\e[?25h";
    /// <summary>With what ending takes by itself, it is over within a second.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(0.8);

    /// <summary>The signals, with their numbers, which shells add to 128.</summary>
    private static readonly (PosixSignal Signal, int Number)[] Signals =
        [(PosixSignal.SIGHUP, 1), (PosixSignal.SIGINT, 2), (PosixSignal.SIGTERM, 15)];

    private readonly CancellationTokenSource source;
    private readonly Terminal? terminal;
    private readonly List<PosixSignalRegistration> registrations = [];
    private readonly Lock ending = new();
    private Timer? patience;
    private int signals;

    private Interruption(Terminal? terminal, CancellationTokenSource source) => (this.terminal, this.source) = (terminal, source);

    /// <summary>Cancelled at the first signal.</summary>
    public CancellationToken Token => source.Token;

    /// <summary>What the process tells its caller when it was stopped: 130 for Ctrl-C, 143 for SIGTERM, 129 for SIGHUP.</summary>
    public int ExitCode { get; private set; } = Cli.ExitCode.Cancelled;

    /// <summary>
    /// What is still to be done after the first signal, in a few words that the user is told; null where nothing would be lost, so that the
    /// process may end after a second.
    /// </summary>
    public string? Saving { get; set; }

    /// <summary>Listens to the signals of this process; not to a hang-up that it was started to ignore (nohup).</summary>
    public static Interruption OfProcess(Terminal terminal)
    {
        var interruption = new Interruption(terminal, new CancellationTokenSource());
        foreach ((PosixSignal signal, int number) in Signals.Where(static one => one.Signal != PosixSignal.SIGHUP || !IsIgnored(one.Number)))
            interruption.registrations.Add(PosixSignalRegistration.Create(signal, context => interruption.OnSignal(context, number)));
        return interruption;
    }

    /// <summary>One that a token stands for, without signals.</summary>
    public static Interruption By(CancellationToken token) => new(null, CancellationTokenSource.CreateLinkedTokenSource(token));

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (PosixSignalRegistration registration in registrations) registration.Dispose();
        patience?.Dispose();
        source.Dispose();
    }

    private void OnSignal(PosixSignalContext context, int number)
    {
        context.Cancel = true;
        if (Interlocked.Increment(ref signals) > 1)
        {
            EndNow();
            return;
        }
        ExitCode = 128 + number;
        if (Saving is { } work) terminal?.Error.WriteLine($"stopping: {work}; the same signal again ends at once");
        patience = new Timer(_ => EndUnlessSaving(), null, Patience, Timeout.InfiniteTimeSpan);
        source.Cancel();
    }

    private void EndUnlessSaving()
    {
        if (Saving is null) EndNow();
    }

    /// <summary>Without waiting for anything: another thread may be in the engine for long.</summary>
    private void EndNow()
    {
        lock (ending)
        {
            AtomicFile.Abandon();
            if (terminal is { IsErrorScreen: true }) terminal.Error.Write(ShowCursor);
            terminal?.Error.WriteLine("stopped");
            if (OperatingSystem.IsWindows()) Environment.Exit(ExitCode);
            ExitProcess(ExitCode);
        }
    }

    /// <summary>
    /// From the system where it says so; elsewhere .NET is left to know. Scripts start their background jobs to
    /// ignore SIGINT, and .NET leaves it so: SIGTERM stops them.
    /// </summary>
    private static bool IsIgnored(int number)
    {
        const string Field = "SigIgn:";
        if (!OperatingSystem.IsLinux()) return false;
        try
        {
            string line = File.ReadLines("/proc/self/status").First(static line => line.StartsWith(Field, StringComparison.Ordinal));
            return (Convert.ToUInt64(line[Field.Length..].Trim(), 16) >> (number - 1) & 1) != 0;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or InvalidOperationException or FormatException)
        {
            return false;
        }
    }

    [LibraryImport("libc", EntryPoint = "_exit")]
    private static partial void ExitProcess(int code);
}
