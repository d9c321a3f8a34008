using System.CommandLine;
using NativeVaccine.Cli.Commands;
using NativeVaccine.Cli.Demo;
using NativeVaccine.Cli.Options;
using NativeVaccine.Cli.Output;
using NativeVaccine.Engine;
using NativeVaccine.IO;

namespace NativeVaccine.Cli;

/// <summary>The command line: finds the verb, runs it, and turns whatever happens into one line and an exit code.</summary>
/// <param name="terminal">Where the verbs write.</param>
/// <param name="interruption">Stops a run at its next step.</param>
internal sealed class Application(Terminal terminal, Interruption interruption)
{
    private const string Verbose = "--verbose";

    // Prompts may begin with '@', which would otherwise name a file of arguments.
    private static readonly ParserConfiguration Parsing = new() { ResponseFileTokenReplacer = null, EnablePosixBundling = false };

    /// <summary>Runs one command line.</summary>
    /// <returns>The exit code.</returns>
    public int Run(string[] arguments)
    {
        bool isVerbose = arguments.Contains(Verbose);
        InputFile.Notice = terminal.Error.WriteLine;
        try
        {
            int result = Invoke(arguments);
            return result == ExitCode.Cancelled ? interruption.ExitCode : result;
        }
        catch (InputException exception) when (!IsFailureOfTheEngine(exception))
        {
            return Refuse(exception.Message, isVerbose ? exception : null, ExitCode.BadInput);
        }
        catch (OperationCanceledException)
        {
            terminal.Error.WriteLine("stopped");
            return interruption.ExitCode;
        }
        catch (OutputException exception)
        {
            return exception.IsReaderGone ? ExitCode.ReaderGone : Refuse(exception.Message, isVerbose ? exception : null, ExitCode.Failed);
        }
        catch (Exception exception) when (exception is not StackOverflowException)
        {
            string hint = isVerbose ? "" : " (--verbose shows where)";
            return Refuse($"the run failed: {exception.Message}{hint}", isVerbose ? exception : null, ExitCode.Failed);
        }
    }

    /// <summary>The verbs with their options.</summary>
    internal static RootCommand CreateRoot(CommandContext context)
    {
        var root = new RootCommand(
            "NativeVaccine hardens language models against harmful fine-tuning (T-Vaccine, arXiv 2410.09760) and measures it.")
        {
            // Made for each root: an option knows its parents, and a shared one would keep the verbs of every command line of an experiment.
            new Option<bool>(Verbose) { Description = "show where an error came from", Recursive = true },
            new DoctorCommand(context),
            new PlanCommand(context),
            new DataCommand(context),
            new AlignCommand(context),
            new FinetuneCommand(context),
            new GenerateCommand(context),
            new EvaluateCommand(context),
            new TokenizeCommand(context),
            new MergeCommand(context),
            new ExportCommand(context),
            new ReportCommand(context),
            new ExperimentCommand(context),
            new DemoCommand(context),
            new BenchCommand(context),
            new CompletionCommand(context),
        };
        GroupedHelp.Install(root);
        return root;
    }

    /// <summary>How large the demo is; smaller in tests.</summary>
    internal DemoSettings Demo { get; init; } = new();

    private int Invoke(string[] arguments)
    {
        RootCommand root = CreateRoot(new CommandContext(terminal, interruption) { Demo = Demo });
        arguments = Usual(arguments);
        ParseResult parsed = root.Parse(ConfigurationFile.Expand(root, arguments, Parsing), Parsing);
        var invocation = new InvocationConfiguration
        {
            Output = terminal.Out,
            Error = terminal.Error,
            EnableDefaultExceptionHandler = false,
            ProcessTerminationTimeout = null,
        };
        // Help and the version are asked for even where something else is missing or wrong.
        bool asksForHelp = parsed.Action is not null && parsed.CommandResult.Command.Action != parsed.Action
            && parsed.Action is not System.CommandLine.Invocation.ParseErrorAction;
        if (!asksForHelp) ParseErrors.Throw(parsed);
        else if (parsed.Action is GroupedHelp) ParseErrors.ThrowIfVerbIsUnknown(parsed);
        return parsed.Invoke(invocation);
    }

    /// <summary>The ways in which people ask for help and the version, in one form.</summary>
    private static string[] Usual(string[] arguments) => arguments switch
    {
        [] => ["--help"],
        ["help", .. var verb] => [.. verb, "--help"],
        ["version"] or ["-V"] => ["--version"],
        _ => arguments,
    };

    private int Refuse(string message, Exception? cause, int exitCode)
    {
        terminal.Error.WriteLine($"error: {message}");
        foreach (string line in (cause?.ToString() ?? "").Split('\n', StringSplitOptions.RemoveEmptyEntries)) terminal.Error.WriteLine(line);
        return exitCode;
    }

    /// <summary>
    /// The engine refuses what does not fit it, which is the user's to change; a device that breaks down, or a defect, is not.
    /// </summary>
    private static bool IsFailureOfTheEngine(InputException exception) =>
        exception is EngineException { Error: EngineError.Device or EngineError.Internal or EngineError.WrongState };
}
