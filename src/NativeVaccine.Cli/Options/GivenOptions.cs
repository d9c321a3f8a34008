using System.CommandLine;

namespace NativeVaccine.Cli.Options;

/// <summary>Which options a user has given, on the command line or in a <c>--config</c> file; the others have their defaults.</summary>
internal static class GivenOptions
{
    /// <summary>Whether an option was given.</summary>
    public static bool IsGiven(this ParseResult parsed, Option option) => parsed.GetResult(option) is { Implicit: false };

    /// <summary>The first of some options that was given; null if none was.</summary>
    public static Option? FirstGiven(this ParseResult parsed, IEnumerable<Option> options) => options.FirstOrDefault(parsed.IsGiven);
}
