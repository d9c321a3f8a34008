using System.CommandLine;
using NativeVaccine.Evaluation;

namespace NativeVaccine.Cli.Commands;

/// <summary>Measures a model: the verbs below it say what.</summary>
internal sealed class EvaluateCommand : Command
{
    public EvaluateCommand(CommandContext context) : base("evaluate", "Measure a model")
    {
        Add(new EvaluateLossCommand(context));
        Add(new EvaluateHarmfulCommand(context));
        Add(new EvaluateChoiceCommand(context));
        Add(new EvaluateTaskCommand(AnswerTask.Sst2, "Accuracy on SST-2: is a review positive or negative", context));
        Add(new EvaluateTaskCommand(AnswerTask.AgNews, "Accuracy on AG News: which of four topics an article has", context));
        Add(new EvaluateTaskCommand(AnswerTask.Gsm8k, "Accuracy on GSM8K: the final number of a word problem", context));
        Add(new EvaluateTaskCommand(AnswerTask.Match, "Accuracy on a task of your own: an answer is right if it is the record's output", context));
        Add(new EvaluateAlpacaCommand(context));
    }
}
