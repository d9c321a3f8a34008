using System.Text.Json.Nodes;
using NativeVaccine.Cli;
using NativeVaccine.Cli.Demo;
using NativeVaccine.Cli.Output;

namespace NativeVaccine.Tests.Cli;

/// <summary>What a command line left behind.</summary>
internal sealed record CommandResult(int ExitCode, string Output, string Error)
{
    /// <summary>The one line on the error stream, without its line end.</summary>
    public string ErrorLine
    {
        get
        {
            string[] lines = Error.TrimEnd('\n', '\r').Split('\n');
            Assert.Single(lines);
            return lines[0];
        }
    }
}

/// <summary>Runs command lines in this process, with captured output.</summary>
internal static class CommandLine
{
    public static CommandResult Run(params string[] arguments) => Run(CancellationToken.None, arguments);

    public static CommandResult Run(CancellationToken cancellation, params string[] arguments) =>
        Run(new DemoSettings(), cancellation, arguments);

    public static CommandResult Run(DemoSettings demo, CancellationToken cancellation, params string[] arguments)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        using Interruption interruption = Interruption.By(cancellation);
        int exitCode = new Application(Terminal.Plain(output, error), interruption) { Demo = demo }.Run(arguments);
        return new CommandResult(exitCode, output.ToString(), error.ToString());
    }

    /// <summary>Runs a command line that must succeed.</summary>
    public static CommandResult Succeed(params string[] arguments)
    {
        CommandResult result = Run(arguments);
        Assert.True(result.ExitCode == 0, $"{string.Join(' ', arguments)}: exit code {result.ExitCode}: {result.Error}");
        return result;
    }

    /// <summary>
    /// Runs an evaluation and interrupts it when it has kept so many bytes of results. On a thread of its own: a continuation would wait for
    /// other tests to leave the pool, and the evaluation would be over by then.
    /// </summary>
    public static CommandResult Interrupt(string partial, long bytes, params string[] arguments)
    {
        using var source = new CancellationTokenSource();
        CommandResult? stopped = null;
        var run = new Thread(() => stopped = Run(source.Token, arguments));
        run.Start();
        while (run.IsAlive && !(File.Exists(partial) && new FileInfo(partial).Length > bytes)) Thread.Sleep(1);
        source.Cancel();
        run.Join();
        Assert.Equal(130, stopped!.ExitCode);
        return stopped;
    }

    /// <summary>What evaluate loss gives for options, to all its digits.</summary>
    public static double MeanLoss(params string[] options) =>
        (double)JsonNode.Parse(Succeed(["evaluate", "loss", .. options, "--json", "-"]).Output)!["mean_loss"]!;
}
