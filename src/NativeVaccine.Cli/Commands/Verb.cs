using System.CommandLine;
using System.Text.Json.Nodes;
using NativeVaccine.Cli.Options;
using NativeVaccine.Cli.Output;
using NativeVaccine.IO;

namespace NativeVaccine.Cli.Commands;

/// <summary>A verb of the command line.</summary>
internal abstract class Verb : Command
{
    /// <summary>What stands for the standard output where a file is expected.</summary>
    private const string StandardOutput = "-";
    private readonly CommandContext context;

    /// <summary>A verb that does something.</summary>
    protected Verb(string name, string description, string example, CommandContext context) : base(name, description)
    {
        this.context = context;
        Example = example;
        SetAction(ExecuteChecked);
    }

    /// <summary>A command line that shows how the verb is used.</summary>
    public string Example { get; }

    /// <summary>Names of the options that must be given although the command line can be read without them.</summary>
    public virtual IReadOnlyCollection<string> Needed => [];

    /// <summary>Of the needed options those in whose place some methods take another one, and which: by the needed one's name.</summary>
    public virtual IReadOnlyDictionary<string, (string Option, string Methods)> Substitutes => new Dictionary<string, (string, string)>();

    /// <summary>What options have that are not given, by their names, where their descriptions do not say it.</summary>
    public virtual IReadOnlyDictionary<string, string> Defaults => new Dictionary<string, string>();

    /// <summary>Where the verb writes.</summary>
    protected Terminal Terminal => context.Terminal;

    /// <summary>Asks the verb to stop.</summary>
    protected CancellationToken Cancellation => context.Interruption.Token;

    /// <summary>
    /// What must still be done when the user stops the verb, in a few words; null, as at the beginning, where nothing would be lost and it
    /// may end at once.
    /// </summary>
    protected string? Saving
    {
        set => context.Interruption.Saving = value;
    }

    /// <summary>Does it.</summary>
    /// <returns>The exit code.</returns>
    protected abstract int Execute(ParseResult parsed);

    /// <summary>Writes the result to a file if one is given, and for people otherwise.</summary>
    protected void WriteJsonOr(string? path, JsonNode result, Action writeForPeople)
    {
        if (path is null) writeForPeople();
        else WriteJson(path, result);
    }

    /// <summary>Writes the result for people, and to a file if one is given. Where that is the standard output, it has nothing else.</summary>
    protected void WriteJsonAnd(string? path, JsonNode result, Action writeForPeople)
    {
        if (path is not null) WriteJson(path, result);
        if (path is null || !IsStandardOutput(path)) writeForPeople();
    }

    /// <summary>Adds several options.</summary>
    protected void AddAll(IEnumerable<Option> options)
    {
        foreach (Option option in options) Add(option);
    }

    private static bool IsStandardOutput(string path) => path == StandardOutput || AtomicFile.IsStandardOutput(path);

    private void WriteJson(string path, JsonNode result)
    {
        string text = JsonValues.Text(result);
        if (IsStandardOutput(path))
        {
            Terminal.Out.Write(text);
            return;
        }
        AtomicFile.WriteAllText(path, text);
        Terminal.Error.WriteLine($"wrote {path}");
    }

    /// <summary>A result that cannot be written is noticed before the work that it is of.</summary>
    private int ExecuteChecked(ParseResult parsed)
    {
        Option<string?>? json = Options.OfType<Option<string?>>().FirstOrDefault(static option => option.Name == OptionKinds.JsonOutputName);
        if (json is not null && parsed.GetValue(json) is { } path && !IsStandardOutput(path))
        {
            ResultPath.RequireNoInput(path, parsed);
            AtomicFile.RequireWritable(path);
        }
        return Execute(parsed);
    }
}
