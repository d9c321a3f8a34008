using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using NativeVaccine.Cli.Options;

namespace NativeVaccine.Cli.Commands;

/// <summary>Help with the options in groups, which of them are needed, their defaults, and an example at the end.</summary>
internal sealed class GroupedHelp : SynchronousCommandLineAction
{
    private const int WidthElsewhere = 110;
    private const int NarrowestScreen = 60;
    private const int LabelWidth = 26;
    private const int Indent = 2;

    /// <inheritdoc/>
    public override bool ClearsParseErrors => true;

    /// <summary>Lets all verbs show their help so.</summary>
    public static void Install(RootCommand root)
    {
        HelpOption help = root.Options.OfType<HelpOption>().Single();
        help.Action = new GroupedHelp();
        help.Description = "show this";
        foreach (string slash in help.Aliases.Where(static alias => alias.StartsWith('/')).ToList()) help.Aliases.Remove(slash);
        VersionOption version = root.Options.OfType<VersionOption>().Single();
        version.Description = "show the version";
        version.Aliases.Add("-V");
    }

    /// <inheritdoc/>
    public override int Invoke(ParseResult parseResult)
    {
        TextWriter to = parseResult.InvocationConfiguration.Output;
        Command command = parseResult.CommandResult.Command;
        string name = ParseErrors.NameOf(parseResult);
        int width = Console.IsOutputRedirected ? WidthElsewhere : Math.Max(NarrowestScreen, Console.WindowWidth);
        foreach (string line in Wrapped(command.Description ?? "", width)) to.WriteLine(line);
        to.WriteLine();
        Option[] options = [.. command.Options.Union(parseResult.RootCommandResult.Command.Options.Where(static option => option.Recursive))
            .Where(static option => !option.Hidden)];
        to.WriteLine("Usage:");
        to.WriteLine($"  {name}{Usage(command, options)}");
        if (command.Subcommands.Count > 0)
            WriteRows(to, "Commands", command.Subcommands.Select(static verb => (verb.Name, verb.Description ?? "")), width);
        if (command.Arguments.Count > 0)
            WriteRows(to, "Arguments", command.Arguments.Select(static argument => (argument.Name, argument.Description ?? "")), width);
        IReadOnlyDictionary<string, string> defaults = (command as Verb)?.Defaults ?? new Dictionary<string, string>();
        foreach (IGrouping<string, Option> group in Grouped(options))
            WriteRows(to, group.Key, group.Select(option => (Label(option), Text(option, command, defaults))), width);
        to.WriteLine();
        to.WriteLine("Example:");
        to.WriteLine($"  {(command as Verb)?.Example ?? (command is RootCommand ? "nvaccine demo" : $"{name} {command.Subcommands[0].Name} --help")}");
        return ExitCode.Success;
    }

    private static IEnumerable<IGrouping<string, Option>> Grouped(IEnumerable<Option> options)
    {
        string[] order = [.. OptionGroups.All.SelectMany(static group => group.Options)];
        return options.OrderBy(option => (uint)Array.IndexOf(order, option.Name))
            .GroupBy(static option => OptionGroups.Of(option.Name) ?? OptionGroups.General);
    }

    private static string Usage(Command command, IEnumerable<Option> options)
    {
        string needed = string.Concat(options.Where(option => IsNeeded(option, command)).Select(option => SubstituteOf(option, command) is { } other
            ? $" {option.Name}|{other.Option} {option.HelpName}"
            : $" {Label(option)}"));
        string arguments = string.Concat(command.Arguments.Select(static argument => $" {argument.Name}"));
        return command.Subcommands.Count > 0 ? " COMMAND [options]" : $"{arguments}{needed} [options]";
    }

    private static bool IsNeeded(Option option, Command command) =>
        option.Required || (command as Verb)?.Needed.Contains(option.Name) == true;

    private static (string Option, string Methods)? SubstituteOf(Option option, Command command) =>
        command is Verb verb && verb.Substitutes.TryGetValue(option.Name, out (string, string) other) ? other : null;

    private static string Label(Option option)
    {
        string names = string.Join(", ", option.Aliases.Order(StringComparer.Ordinal).Append(option.Name));
        return option.HelpName is { } value ? $"{names} {value}" : names;
    }

    private static string Text(Option option, Command command, IReadOnlyDictionary<string, string> defaults)
    {
        string instead = SubstituteOf(option, command) is { } other ? $"; with {other.Methods} {other.Option} in its place" : "";
        string needed = IsNeeded(option, command) ? $" (needed{instead})" : "";
        bool saysItself = option.Description?.Contains("unless given", StringComparison.Ordinal) == true;
        string value = !saysItself && defaults.TryGetValue(option.Name, out string? found) ? $" [{found}]" : "";
        return $"{option.Description}{needed}{value}";
    }

    private static void WriteRows(TextWriter to, string heading, IEnumerable<(string Label, string Text)> rows, int width)
    {
        to.WriteLine();
        to.WriteLine($"{heading}:");
        foreach ((string label, string text) in rows)
        {
            string margin = new(' ', Indent + LabelWidth);
            string first = new string(' ', Indent) + label;
            bool isLong = label.Length >= LabelWidth;
            if (isLong) to.WriteLine(first);
            string begin = isLong ? margin : first.PadRight(Indent + LabelWidth);
            foreach (string line in Wrapped(text, width - begin.Length))
            {
                to.WriteLine((begin + line).TrimEnd());
                begin = margin;
            }
        }
    }

    private static IEnumerable<string> Wrapped(string text, int width)
    {
        string line = "";
        foreach (string word in text.Split(' '))
        {
            if (line.Length > 0 && line.Length + 1 + word.Length > width)
            {
                yield return line;
                line = "";
            }
            line += line.Length > 0 ? $" {word}" : word;
        }
        yield return line;
    }
}
