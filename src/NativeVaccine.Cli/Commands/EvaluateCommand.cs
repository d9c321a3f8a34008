using System.CommandLine;

namespace NativeVaccine.Cli.Commands;

/// <summary>Measures a model: the verbs below it say what.</summary>
internal sealed class EvaluateCommand : Command
{
    public EvaluateCommand(CommandContext context) : base("evaluate", "Measure a model")
    {
        Add(new EvaluateLossCommand(context));
        Add(new EvaluateHarmfulCommand(context));
        Add(new EvaluateChoiceCommand(context));
    }
}
