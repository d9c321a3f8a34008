using System.Text;
using NativeVaccine.Data;

namespace NativeVaccine.Evaluation;

/// <summary>How choices are put to a model.</summary>
public enum ChoiceForm
{
    /// <summary>MMLU's prompt: the choices are listed, and the model answers with a letter.</summary>
    Letters,

    /// <summary>The choices are not listed; the model answers with the choice's own text.</summary>
    Answers,
}

/// <summary>
/// A question as the model sees it, and what it may go on with, letter by letter as lm-eval 0.4.13 puts it (Gao et al., Language Model
/// Evaluation Harness; its task mmlu for letters).
/// </summary>
/// <param name="Context">All that stands before the answer, shots included.</param>
/// <param name="Answers">One for each choice, without the space that comes before it.</param>
public sealed record ChoicePrompt(string Context, IReadOnlyList<string> Answers)
{
    private const char Separator = ' ';

    /// <summary>The prompt of a question.</summary>
    /// <param name="question">The question.</param>
    /// <param name="shots">Questions that stand before it with their answers.</param>
    /// <param name="form">The form of all of them.</param>
    public static ChoicePrompt Of(ChoiceQuestion question, IReadOnlyList<ChoiceQuestion> shots, ChoiceForm form)
    {
        var context = new StringBuilder();
        if (form == ChoiceForm.Letters)
        {
            string about = question.Subject is { } subject ? $" about {subject}" : "";
            context.Append($"The following are multiple choice questions (with answers){about}.\n\n");
        }
        foreach (ChoiceQuestion shot in shots)
            context.Append(Ask(shot, form)).Append(Separator).Append(AnswersOf(shot, form)[shot.Answer]).Append("\n\n");
        context.Append(Ask(question, form));
        return new ChoicePrompt(context.ToString(), AnswersOf(question, form));
    }

    /// <summary>What follows the context if a choice is taken.</summary>
    public string Continuation(int choice) => Separator + Answers[choice];

    private static string Ask(ChoiceQuestion question, ChoiceForm form)
    {
        if (form == ChoiceForm.Answers) return $"Question: {question.Question}\nAnswer:";
        IEnumerable<string> lines = question.Choices.Select(static (choice, index) => $"{ChoiceQuestion.LetterOf(index)}. {choice}\n");
        return $"{question.Question.Trim()}\n{string.Concat(lines)}Answer:";
    }

    private static IReadOnlyList<string> AnswersOf(ChoiceQuestion question, ChoiceForm form) =>
        form == ChoiceForm.Answers ? question.Choices : [.. question.Choices.Select(static (_, index) => ChoiceQuestion.LetterOf(index))];
}
