using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using NativeVaccine.Chat;

namespace NativeVaccine.Cli.Options;

/// <summary>
/// Options by the kind of their value. An option that was not given has the value null, so that presets and configuration files can speak;
/// a value that cannot be used is refused with one line that says what was expected.
/// </summary>
internal static class OptionKinds
{
    /// <summary>The name of the option made by <see cref="JsonOutput"/>.</summary>
    public const string JsonOutputName = "--json";

    /// <summary>A whole number that is not below <paramref name="minimum"/>.</summary>
    public static Option<int?> WholeNumber(string name, string description, int minimum) => Create<int?>(
        name, "N", description, text =>
            int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int value) && value >= minimum
                ? value
                : throw Refusal(name, text, string.Create(CultureInfo.InvariantCulture, $"a whole number, at least {minimum}")));

    /// <summary>A seed: a whole number from 0 to 2^64 - 1.</summary>
    public static Option<ulong?> Seed(string name, string description) => Create<ulong?>(
        name, "N", description, text => ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out ulong value)
            ? value
            : throw Refusal(name, text, "a whole number from 0 to 2^64 - 1"));

    /// <summary>A finite number for which <paramref name="isAllowed"/> holds.</summary>
    public static Option<double?> Number(string name, string description, Func<double, bool> isAllowed, string expected) => Create<double?>(
        name, "X", description, text =>
            double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double value)
            && double.IsFinite(value) && isAllowed(value)
                ? value
                : throw Refusal(name, text, expected));

    /// <summary>A finite number that is not negative.</summary>
    public static Option<double?> NonNegative(string name, string description) =>
        Number(name, description, static value => value >= 0, "a number, at least 0");

    /// <summary>The same for a number that is computed with in fp32.</summary>
    public static Option<double?> NonNegativeFloat32(string name, string description) => Number(
        name, description, static value => value == 0 || IsPositiveFloat32(value), "a number of fp32, at least 0");

    /// <summary>A number above 0 that is computed with in fp32.</summary>
    public static Option<double?> PositiveFloat32(string name, string description) =>
        Number(name, description, IsPositiveFloat32, "a number of fp32 above 0");

    /// <summary>A share from 0 to 1.</summary>
    public static Option<double?> Share(string name, string description) =>
        Number(name, description, static value => value is >= 0 and <= 1, "a number from 0 to 1");

    /// <summary>A share from 0 and below 1.</summary>
    public static Option<double?> ShareBelowOne(string name, string description) =>
        Number(name, description, static value => value is >= 0 and < 1, "a number from 0 and below 1");

    /// <summary>A finite number above 0.</summary>
    public static Option<double?> Positive(string name, string description) =>
        Number(name, description, static value => value > 0, "a number above 0");

    /// <summary>A value of whatever kind <paramref name="parse"/> reads, which gives null for what cannot be used.</summary>
    public static Option<object?> Parsed(string name, string valueName, string description, Func<string, object?> parse, string expected)
    {
        Option<object?> option = Create<object?>(name, valueName, description, text => parse(text) ?? throw Refusal(name, text, expected));
        if (valueName.Contains('|', StringComparison.Ordinal)) option.CompletionSources.Add(valueName.Split('|'));
        return option;
    }

    /// <summary>Any text that is not empty: a path, a prompt.</summary>
    public static Option<string?> Text(string name, string valueName, string description) => Create<string?>(
        name, valueName, description, text => text.Length > 0 ? text : throw Refusal(name, text, $"{valueName}, not empty text"));

    /// <summary>Any text, which may be empty.</summary>
    public static Option<string?> AnyText(string name, string valueName, string description) =>
        Create<string?>(name, valueName, description, static text => text);

    /// <summary>One of the prompt templates.</summary>
    public static Option<string?> Template(string description)
    {
        string[] names = [.. Data.PromptTemplate.All.Select(static template => template.Name), Data.PromptTemplate.Chat];
        Option<string?> option = Create<string?>(
            "--template",
            $"{string.Join('|', names)}|FILE",
            description + " (alpaca ends in \"### Response:\" and a line break, as T-Vaccine's program; stanford-alpaca without the line break, as "
            + "Stanford's and Vaccine's; none is the text as it is; chat is the model's own chat template; FILE is JSON with prefixes and suffixes)",
            Read);
        option.CompletionSources.Add(names);
        return option;

        // A run keeps a file's content, which may be given in its place.
        string Read(string text) => names.Contains(text) || text.StartsWith('{') ? text
            : text.EndsWith(".json", StringComparison.OrdinalIgnoreCase) ? ChatTemplate.ReadFile(text)
            : throw Refusal("--template", text, $"one of {string.Join(", ", names)}, or a .json file");
    }

    /// <summary>Which tokens of records of text carry labels.</summary>
    public static Option<string?> Labels() => Words<Data.LabelScope>(
        "--labels", "which tokens of text are learnt: the answers with the token that ends each, or all; answers unless given");

    /// <summary>Where a verb writes its result for other programs.</summary>
    public static Option<string?> JsonOutput() => Text(JsonOutputName, "FILE", "write the result to this file as JSON; - is the standard output");

    /// <summary>An option that may be repeated.</summary>
    public static Option<string[]> Repeated(string name, string valueName, string description) => new(name)
    {
        HelpName = valueName,
        Description = description,
        Arity = ArgumentArity.OneOrMore,
        AllowMultipleArgumentsPerToken = false,
        DefaultValueFactory = static _ => [],
    };

    /// <summary>One of a few words.</summary>
    public static Option<string?> Choice(string name, string description, params string[] choices)
    {
        Option<string?> option = Create<string?>(name, string.Join('|', choices), description, text => choices.Contains(text)
            ? text
            : throw Refusal(name, text, $"one of {string.Join(", ", choices)}"));
        option.CompletionSources.Add(choices);
        return option;
    }

    /// <summary>One of an enumeration's words: "constant-with-warmup".</summary>
    public static Option<string?> Words<T>(string name, string description)
        where T : struct, Enum => Choice(name, description, [.. Enum.GetNames<T>().Select(JsonNamingPolicy.KebabCaseLower.ConvertName)]);

    /// <summary>
    /// The value of an option made by <see cref="Words{T}"/> or of the same words; <paramref name="fallback"/> if it was not given.
    /// </summary>
    public static T Word<T>(ParseResult parsed, Option<string?> option, T fallback)
        where T : struct, Enum => parsed.GetValue(option) is { } word
            ? Enum.Parse<T>(word.Replace("-", "", StringComparison.Ordinal), ignoreCase: true)
            : fallback;

    /// <summary>A size of memory: a number with the unit B, KiB, MiB, GiB or TiB.</summary>
    public static Option<long?> Bytes(string name, string description) =>
        Create<long?>(name, "24GiB", description, text => ByteSize.TryParse(text, out long bytes)
        ? bytes
        : throw Refusal(name, text, "a size with its unit, such as 24GiB or 512MiB"));

    /// <summary>A switch, off unless given.</summary>
    public static Option<bool> Switch(string name, string description) => new(name) { Description = description };

    private static Option<T> Create<T>(string name, string valueName, string description, Func<string, T> parse) => new(name)
    {
        HelpName = valueName,
        Description = description,
        Arity = ArgumentArity.ExactlyOne,
        CustomParser = result =>
        {
            try
            {
                return parse(result.Tokens[0].Value);
            }
            catch (InputException exception)
            {
                result.AddError(exception.Message);
                return default;
            }
        },
    };

    private static InputException Refusal(string name, string text, string expected) =>
        new($"{name}: '{text}' cannot be used; expected {expected}");

    private static bool IsPositiveFloat32(double value) => (float)value > 0 && float.IsFinite((float)value);
}
