using System.CommandLine;
using NativeVaccine.Methods;

namespace NativeVaccine.Cli.Options;

/// <summary>The options that methods declare, each name once; what they mean is the method's business.</summary>
internal sealed class MethodOptionSet
{
    private readonly OrderedDictionary<string, Option> options = new(StringComparer.Ordinal);

    /// <summary>The options of all methods. Those that none of the offered methods has are hidden: they are there to be refused in words.</summary>
    /// <param name="offered">The methods of the verb.</param>
    public MethodOptionSet(IReadOnlyList<MethodInfo> offered)
    {
        foreach (string name in MethodCatalog.OptionNames)
        {
            (MethodInfo, MethodOption)[] declarations = Declarations(offered, name);
            Option option = Create(declarations.Length > 0 ? declarations : Declarations(MethodCatalog.All, name));
            option.Hidden = declarations.Length == 0;
            options.Add(name, option);
        }
    }

    /// <summary>Every option, in the order in which methods declare them.</summary>
    public IEnumerable<Option> All => options.Values;

    /// <summary>Those that are no files.</summary>
    public IEnumerable<Option> Values => Those(static option => option is not PoolOption);

    /// <summary>Those that a single step depends on, and that are no files.</summary>
    public IEnumerable<Option> OfAStep => Those(static option => option is not PoolOption && !option.AcrossSteps);

    /// <summary>The settings with what was given. What the method does not use is not looked at.</summary>
    public MethodSettings Read(ParseResult parsed, MethodInfo method, MethodSettings settings) =>
        Given(parsed, method).Aggregate(settings, static (with, setting) => with.With(setting.Name, setting.Value));

    /// <summary>What was given of a method's options.</summary>
    public IEnumerable<(string Name, object Value)> Given(ParseResult parsed, MethodInfo method)
    {
        foreach (MethodOption option in method.Options.Where(option => parsed.IsGiven(options[option.Name])))
        {
            object? value = options[option.Name] is Option<bool> flag ? parsed.GetValue(flag) : parsed.GetValue((Option<object?>)options[option.Name]);
            if (value is not null) yield return (option.Name, value);
        }
    }

    private IEnumerable<Option> Those(Predicate<MethodOption> are) => options.Keys
        .Where(name => Declarations(MethodCatalog.All, name).All(each => are(each.Option)))
        .Select(name => options[name]);

    private static (MethodInfo Method, MethodOption Option)[] Declarations(IReadOnlyList<MethodInfo> methods, string name) =>
        [.. from method in methods from option in method.Options where option.Name == name select (method, option)];

    private static Option Create((MethodInfo Method, MethodOption Option)[] declarations)
    {
        MethodOption first = declarations[0].Option;
        string[] helps = [.. declarations.Select(static each => each.Option.Help).Distinct()];
        string help = helps.Length == 1 ? helps[0] : string.Join("; ", helps.Select(text => $"{UsersOf(text)}: {text}"));
        return first is SwitchOption
            ? OptionKinds.Switch(first.CommandLineName, help)
            : OptionKinds.Parsed(first.CommandLineName, first.ValueName, help, first.Parse, first.Expected);

        string UsersOf(string text) =>
            string.Join(", ", declarations.Where(each => each.Option.Help == text).Select(static each => each.Method.Name));
    }
}
