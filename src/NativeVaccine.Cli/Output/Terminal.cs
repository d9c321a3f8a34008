using System.Text;
using Spectre.Console;

namespace NativeVaccine.Cli.Output;

/// <summary>
/// Where a command writes: what it was asked for to <see cref="Out"/>, what it has to say on the way to <see cref="Error"/>. Only a screen
/// gets colours, moving bars and drawn glyphs; files and pipes get plain lines.
/// </summary>
internal sealed class Terminal
{
    private const int PlainWidth = 140;

    private Terminal(TextWriter output, TextWriter error, bool isOutputScreen, bool isErrorScreen)
    {
        Out = output;
        Error = new MessageWriter(error);
        IsOutputScreen = isOutputScreen;
        OutConsole = Create(Out, isOutputScreen);
        ErrorConsole = Create(Error, isErrorScreen);
        IsErrorScreen = isErrorScreen && ErrorConsole.Profile.Capabilities.Interactive;
    }

    /// <summary>The product of a command.</summary>
    public TextWriter Out { get; }

    /// <summary>Progress, notes, errors.</summary>
    public TextWriter Error { get; }

    /// <summary>True if a person sees <see cref="Out"/> directly.</summary>
    public bool IsOutputScreen { get; }

    /// <summary>True if a person sees <see cref="Error"/> directly, on a screen that can redraw.</summary>
    public bool IsErrorScreen { get; }

    /// <summary>Draws on <see cref="Out"/>.</summary>
    public IAnsiConsole OutConsole { get; }

    /// <summary>Draws on <see cref="Error"/>.</summary>
    public IAnsiConsole ErrorConsole { get; }

    /// <summary>The standard streams of this process.</summary>
    public static Terminal OfProcess()
    {
        (TextWriter output, TextWriter error) = StandardStreams.Open();
        return new Terminal(output, error, !Console.IsOutputRedirected, !Console.IsErrorRedirected);
    }

    /// <summary>Plain text into the given writers.</summary>
    public static Terminal Plain(TextWriter output, TextWriter error) => new(output, error, isOutputScreen: false, isErrorScreen: false);

    /// <summary>Writes a table to <see cref="Out"/>: drawn on a screen, in plain characters elsewhere.</summary>
    public void Write(Table table)
    {
        table.Border = IsOutputScreen ? TableBorder.Rounded : TableBorder.Ascii2;
        OutConsole.Write(table);
    }

    /// <summary>Writes a line to <see cref="Out"/>; a screen breaks it between words.</summary>
    public void WriteText(string line)
    {
        if (IsOutputScreen) OutConsole.WriteLine(line);
        else Out.WriteLine(line);
    }

    private static IAnsiConsole Create(TextWriter writer, bool isScreen)
    {
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Out = new ConsoleOutput(writer, isScreen),
            Ansi = isScreen ? AnsiSupport.Detect : AnsiSupport.No,
            ColorSystem = isScreen ? ColorSystemSupport.Detect : ColorSystemSupport.NoColors,
            Interactive = isScreen ? InteractionSupport.Detect : InteractionSupport.No,
        });
        if (!isScreen) console.Profile.Width = PlainWidth;
        return console;
    }

    /// <summary>Spectre's own takes only .NET's own writers for a screen.</summary>
    private sealed class ConsoleOutput(TextWriter writer, bool isScreen) : IAnsiConsoleOutput
    {
        private const int DefaultWidth = 80;
        private const int DefaultHeight = 24;

        /// <inheritdoc/>
        public TextWriter Writer => writer;

        /// <inheritdoc/>
        public bool IsTerminal => isScreen;

        /// <inheritdoc/>
        public int Width => Ask(static () => Console.WindowWidth, DefaultWidth);

        /// <inheritdoc/>
        public int Height => Ask(static () => Console.WindowHeight, DefaultHeight);

        /// <inheritdoc/>
        public void SetEncoding(Encoding encoding) { }

        private int Ask(Func<int> size, int otherwise)
        {
            try
            {
                return isScreen && size() is > 0 and var known ? known : otherwise;
            }
            catch (IOException)
            {
                return otherwise;
            }
        }
    }
}
