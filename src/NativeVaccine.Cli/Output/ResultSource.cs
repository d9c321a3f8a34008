using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;

namespace NativeVaccine.Cli.Output;

/// <summary>Where a result came from, as it stands in the result's own file.</summary>
internal static class ResultSource
{
    /// <summary>What made a result: the options that were given, the versions, the time, and what else is known.</summary>
    /// <param name="parsed">The command line.</param>
    /// <param name="parts">Model, template, judge: what the result depends on; empty parts are left out.</param>
    public static JsonObject Of(ParseResult parsed, params IEnumerable<KeyValuePair<string, JsonNode?>> parts)
    {
        var source = new JsonObject();
        foreach ((string name, JsonNode? part) in parts)
            if (part is not null) source[name] = part;
        source["options"] = Options(parsed, []);
        source["versions"] = new JsonObject(Versions.Current().Select(static version => KeyValuePair.Create(version.Key, (JsonNode?)version.Value)));
        source["written"] = DateTime.UtcNow.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture);
        return source;
    }

    /// <summary>The options that were given, on the command line or in a file of options, as they were written.</summary>
    /// <param name="parsed">The command line.</param>
    /// <param name="without">Names of options that do not matter.</param>
    public static JsonObject Options(ParseResult parsed, IReadOnlyCollection<string> without)
    {
        var options = new JsonObject();
        foreach (Option option in parsed.CommandResult.Command.Options)
        {
            if (without.Contains(option.Name) || parsed.GetResult(option) is not { Implicit: false } result) continue;
            string[] values = [.. result.Tokens.Select(static token => token.Value)];
            options[option.Name.TrimStart('-')] = values.Length switch
            {
                0 => true,
                1 => values[0],
                _ => new JsonArray([.. values.Select(static value => (JsonNode)value)]),
            };
        }
        return options;
    }
}
