using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Nodes;
using NativeVaccine.Cli.Options;

namespace NativeVaccine.Cli.Experiments;

/// <summary>An option of a command line that a plan makes.</summary>
/// <param name="Name">Of the option, with its dashes.</param>
/// <param name="Value">What it is given.</param>
/// <param name="IsPath">Whether it names a file or folder.</param>
internal readonly record struct PlannedOption(string Name, string Value, bool IsPath)
{
    /// <summary>As a command line has it.</summary>
    public string Text => $"{Name}={Value}";
}

/// <summary>Makes command lines of fields of a plan: a field is an option of the verb, by its name.</summary>
/// <param name="plan">The plan, for messages and for where paths begin.</param>
/// <param name="root">All verbs.</param>
internal sealed class VerbLine(ExperimentPlan plan, RootCommand root)
{
    private static readonly string[] PathNames = ["FILE", "DIR", "FOLDER", "RUN"];

    /// <summary>The verb of some words.</summary>
    /// <exception cref="InputException">There is none.</exception>
    public Command Find(IReadOnlyList<string> verb) => verb.Aggregate((Command)root, (command, word) =>
        command.Subcommands.FirstOrDefault(one => one.Name == word) ?? throw plan.Wrong($"nvaccine has no verb {string.Join(' ', verb)}"));

    /// <summary>The options that some fields stand for.</summary>
    /// <param name="verb">The verb.</param>
    /// <param name="fields">Names (snake_case or kebab-case) and values, without placeholders.</param>
    /// <param name="where">The part of the plan that they are from, for messages.</param>
    /// <param name="isMade">Tells paths that the experiment itself makes: they need not be there yet.</param>
    /// <exception cref="InputException">A field is no option, its value is none, or a file is missing.</exception>
    public IEnumerable<PlannedOption> Options(Command verb, IEnumerable<KeyValuePair<string, JsonNode?>> fields, string where, Func<string, bool> isMade)
    {
        foreach ((string field, JsonNode? node) in fields)
        {
            if (node is null) continue;
            using JsonDocument document = JsonDocument.Parse(node.ToJsonString());
            Option option = ConfigurationFile.Find(verb, field, $"{plan.Path}: {where}", $"nvaccine {verb.Name}");
            foreach (string value in ConfigurationFile.Values(field, document.RootElement, option, $"{plan.Path}: {where}"))
                yield return Planned(option, value, $"{where}.{field}", isMade);
        }
    }

    /// <summary>Of some fields those that the verb has as options.</summary>
    public static IEnumerable<KeyValuePair<string, JsonNode?>> Known(Command verb, JsonObject fields) =>
        fields.Where(field => verb.Options.Any(option => option.Name == $"--{field.Key.Replace('_', '-')}"));

    private PlannedOption Planned(Option option, string value, string where, Func<string, bool> isMade)
    {
        string[] forms = (option.HelpName ?? "").Split('|');
        if (!forms.Any(PathNames.Contains)) return new PlannedOption(option.Name, value, IsPath: false);
        if (isMade(value)) return new PlannedOption(option.Name, value, IsPath: true);
        string path = Path.GetFullPath(value, plan.Folder);
        if (Path.Exists(path)) return new PlannedOption(option.Name, path, IsPath: true);
        // An option that takes a file or a word has a word here.
        if (!forms.All(PathNames.Contains)) return new PlannedOption(option.Name, value, IsPath: false);
        throw plan.Wrong($"{where}: {path} is not there");
    }
}
