using System.CommandLine;
using System.Text.Json.Nodes;
using NativeVaccine.Cli.Output;

namespace NativeVaccine.Cli.Commands;

/// <summary>A verb of the command line.</summary>
internal abstract class Verb : Command
{
    private readonly CommandContext context;

    /// <summary>A verb that does something.</summary>
    protected Verb(string name, string description, string example, CommandContext context) : base(name, description)
    {
        this.context = context;
        Example = example;
        SetAction(Execute);
    }

    /// <summary>A command line that shows how the verb is used.</summary>
    public string Example { get; }

    /// <summary>Where the verb writes.</summary>
    protected Terminal Terminal => context.Terminal;

    /// <summary>Asks the verb to stop.</summary>
    protected CancellationToken Cancellation => context.Cancellation;

    /// <summary>Does it.</summary>
    /// <returns>The exit code.</returns>
    protected abstract int Execute(ParseResult parsed);

    /// <summary>Writes the result to a file if one is given, and for people otherwise.</summary>
    protected void WriteJsonOr(string? path, JsonNode result, Action writeForPeople)
    {
        if (path is null)
        {
            writeForPeople();
            return;
        }
        JsonValues.Save(path, result);
        Terminal.Error.WriteLine($"wrote {path}");
    }

    /// <summary>Adds several options.</summary>
    protected void AddAll(IEnumerable<Option> options)
    {
        foreach (Option option in options) Add(option);
    }
}
