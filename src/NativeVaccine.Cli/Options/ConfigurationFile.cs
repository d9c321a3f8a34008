using System.CommandLine;
using System.Text.Json;
using NativeVaccine.IO;

namespace NativeVaccine.Cli.Options;

/// <summary>
/// A JSON file whose fields are options of a verb (<c>learning-rate</c> or <c>learning_rate</c>). The command line goes before it.
/// </summary>
internal static class ConfigurationFile
{
    private const string Name = "--config";

    /// <summary>What a run folder's config.json says about itself; no options.</summary>
    private static readonly string[] Remarks = ["stage", "versions"];

    /// <summary>The option that names the file.</summary>
    public static Option<string?> CreateOption() =>
        OptionKinds.Text(Name, "FILE", "JSON file with options by name; those given here override it");

    /// <summary>The arguments with those of the file that <c>--config</c> names added; the same arguments if there is none.</summary>
    /// <exception cref="InputException">The file cannot be read, or a field is no option of the verb.</exception>
    public static string[] Expand(RootCommand root, string[] arguments, ParserConfiguration parsing)
    {
        ParseResult parsed = root.Parse(arguments, parsing);
        Command command = parsed.CommandResult.Command;
        Option? config = command.Options.FirstOrDefault(static option => option.Name == Name);
        if (config is null || parsed.GetResult(config) is not { Tokens: [{ Value: var path }] }) return arguments;
        using JsonDocument document = JsonFile.ReadObject(path);
        var added = new List<string>();
        foreach (JsonProperty field in document.RootElement.EnumerateObject().Where(static field => !Remarks.Contains(field.Name)))
        {
            Option option = Find(command, field.Name, path, ParseErrors.NameOf(parsed));
            if (!parsed.IsGiven(option)) added.AddRange(Values(field.Name, field.Value, option, path).Select(value => $"{option.Name}={value}"));
        }
        return [.. arguments, .. added];
    }

    /// <summary>The option of a verb that a field is named after.</summary>
    /// <exception cref="InputException">There is none; the message has the nearest name.</exception>
    public static Option Find(Command command, string field, string path, string verb)
    {
        string name = $"--{field.Replace('_', '-')}";
        Option? option = command.Options.FirstOrDefault(candidate => candidate.Name == name && candidate.Name != Name);
        if (option is not null) return option;
        string? nearest = NearestName.Find(name, command.Options.Select(static candidate => candidate.Name));
        string suggestion = nearest is null ? $"see {verb} --help" : $"did you mean {nearest[2..]}?";
        throw new InputException($"{path}: field '{field}' is no option of {verb}; {suggestion}");
    }

    /// <summary>What a field's value gives an option, in the words of a command line.</summary>
    /// <exception cref="InputException">No option takes such a value.</exception>
    public static string[] Values(string field, JsonElement value, Option option, string path) => value.ValueKind switch
    {
        JsonValueKind.Null => [],
        JsonValueKind.String => [value.GetString()!],
        // Sizes in a file are whole numbers of bytes, as a run's config.json has them.
        JsonValueKind.Number when option is Option<long?> && value.TryGetInt64(out long bytes) => [FormattableString.Invariant($"{bytes}B")],
        JsonValueKind.Number => [value.GetRawText()],
        JsonValueKind.True => ["true"],
        JsonValueKind.False => ["false"],
        JsonValueKind.Array when value.EnumerateArray().All(static item => item.ValueKind == JsonValueKind.String) =>
            Texts([.. value.EnumerateArray().Select(static item => item.GetString()!)], option),
        _ => throw new InputException(
            $"{path}: field '{field}' is {value.ValueKind}; expected text, a number, true, false, or a list of texts"),
    };

    /// <summary>An option that may be repeated takes them one by one, any other as a list with commas.</summary>
    private static string[] Texts(string[] items, Option option) =>
        option.Arity.MaximumNumberOfValues > 1 ? items : [string.Join(',', items)];
}
