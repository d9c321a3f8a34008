using System.CommandLine;
using System.CommandLine.Parsing;

namespace NativeVaccine.Cli.Options;

/// <summary>Says in one line what is wrong with a command line.</summary>
internal static class ParseErrors
{
    /// <summary>Throws if the command line cannot be used.</summary>
    /// <exception cref="InputException">What is wrong, with the nearest name where one is unknown.</exception>
    public static void Throw(ParseResult parsed)
    {
        Command command = parsed.CommandResult.Command;
        if (parsed.UnmatchedTokens is [var unknown, ..]) throw new InputException(Unknown(parsed, command, unknown));
        if (command.Action is null && command.Subcommands.Count > 0)
        {
            string verbs = string.Join(", ", command.Subcommands.Select(static verb => verb.Name));
            throw new InputException($"{NameOf(parsed)}: expected one of {verbs}");
        }
        if (parsed.Errors.Count == 0) return;
        // What is wrong with what was typed goes before what is missing.
        ParseError error = parsed.Errors.FirstOrDefault(static error => error.SymbolResult is OptionResult { IdentifierToken: not null })
            ?? parsed.Errors[0];
        throw new InputException($"{NameOf(parsed)}: {Reworded(error, parsed)}");
    }

    /// <summary>Throws if help is asked for about a verb that there is not.</summary>
    /// <exception cref="InputException">With the nearest name.</exception>
    public static void ThrowIfVerbIsUnknown(ParseResult parsed)
    {
        Command command = parsed.CommandResult.Command;
        if (command.Subcommands.Count > 0 && parsed.UnmatchedTokens is [var unknown, ..] && !unknown.StartsWith('-'))
            throw new InputException(Unknown(parsed, command, unknown));
    }

    /// <summary>The verb as it is typed: "nvaccine evaluate loss".</summary>
    public static string NameOf(ParseResult parsed)
    {
        var names = new Stack<string>();
        for (SymbolResult? result = parsed.CommandResult; result is CommandResult command; result = result.Parent)
            names.Push(command.Command is RootCommand ? "nvaccine" : command.Command.Name);
        return string.Join(' ', names);
    }

    private static string Unknown(ParseResult parsed, Command command, string unknown)
    {
        bool isOption = unknown.StartsWith('-');
        string name = unknown.Split('=')[0];
        string[] known = isOption
            ? [.. command.Options.Concat(parsed.RootCommandResult.Command.Options.Where(static option => option.Recursive))
                .Where(static option => !option.Hidden).Select(static option => option.Name)]
            : [.. command.Subcommands.Select(static verb => verb.Name)];
        string? nearest = (isOption ? FamiliarNames.Find(name, known) : null) ?? NearestName.Find(name, known);
        string suggestion = nearest is null ? $"see {NameOf(parsed)} --help" : $"did you mean {nearest}?";
        string kind = isOption ? "option" : command.Subcommands.Count > 0 ? "command" : "argument";
        return $"{NameOf(parsed)}: unknown {kind} '{name}'; {suggestion}";
    }

    private static string Reworded(ParseError error, ParseResult parsed)
    {
        if (error.SymbolResult is OptionResult option)
        {
            if (option is { Tokens.Count: 0, IdentifierToken: not null }) return $"{option.Option.Name} needs a value";
            if (option.IdentifierTokenCount > 1) return $"{option.Option.Name} may be given only once";
        }
        string[] missing = [.. parsed.CommandResult.Command.Options
            .Where(option => option.Required && !parsed.IsGiven(option)).Select(static option => option.Name)];
        bool isAboutMissing = missing.Any(name => error.Message.Contains($"'{name}'", StringComparison.Ordinal));
        return isAboutMissing ? $"expected {string.Join(", ", missing)}" : error.Message;
    }
}
