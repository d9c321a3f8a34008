using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace NativeVaccine.Cli.Commands;

/// <summary>The usual help, with an example at the end.</summary>
internal sealed class HelpWithExample(HelpAction usual) : SynchronousCommandLineAction
{
    /// <inheritdoc/>
    public override bool ClearsParseErrors => true;

    /// <summary>Lets the help of all verbs end with their example.</summary>
    public static void Install(RootCommand root)
    {
        HelpOption help = root.Options.OfType<HelpOption>().Single();
        help.Action = new HelpWithExample((HelpAction)help.Action!);
    }

    /// <inheritdoc/>
    public override int Invoke(ParseResult parseResult)
    {
        int result = usual.Invoke(parseResult);
        string? example = parseResult.CommandResult.Command switch
        {
            Verb verb => verb.Example,
            RootCommand => "nvaccine demo",
            _ => null,
        };
        if (example is not null) parseResult.InvocationConfiguration.Output.WriteLine($"Example:{Environment.NewLine}  {example}");
        return result;
    }
}
