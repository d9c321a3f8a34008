namespace NativeVaccine.Cli;

/// <summary>What the process tells its caller.</summary>
internal static class ExitCode
{
    public const int Success = 0;

    /// <summary>The input was fine, but the run went wrong.</summary>
    public const int Failed = 1;

    /// <summary>An option, a file or a value that the user gave cannot be used.</summary>
    public const int BadInput = 2;

    /// <summary>Stopped by Ctrl-C: 128 + SIGINT, as shells have it. Other signals have their own: see <see cref="Interruption"/>.</summary>
    public const int Cancelled = 130;

    /// <summary>The reader of the result has gone (<c>| head -1</c>): 128 + SIGPIPE, as shells have it.</summary>
    public const int ReaderGone = 141;
}
