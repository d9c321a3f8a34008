using NativeVaccine.Data;

namespace NativeVaccine.Evaluation;

/// <summary>What a model makes of a question with choices.</summary>
/// <param name="Question">The question.</param>
/// <param name="Prompt">As the model saw it.</param>
/// <param name="LogLikelihoods">Of each choice, in nats.</param>
public sealed record ChoiceResult(ChoiceQuestion Question, ChoicePrompt Prompt, IReadOnlyList<double> LogLikelihoods)
{
    /// <summary>The likeliest choice; the first of equal ones.</summary>
    public int Choice => FirstLargest(LogLikelihoods);

    /// <summary>The choice that is likeliest by character of its text; the first of equal ones.</summary>
    public int ChoiceNormalized => FirstLargest([.. LogLikelihoods.Select((value, index) => value / Characters(Prompt.Answers[index]))]);

    /// <summary>Whether the likeliest choice is right.</summary>
    public bool IsCorrect => Choice == Question.Answer;

    /// <summary>Whether the likeliest choice by character is right.</summary>
    public bool IsCorrectNormalized => ChoiceNormalized == Question.Answer;

    private static int FirstLargest(IReadOnlyList<double> values)
    {
        int largest = 0;
        for (int i = 1; i < values.Count; i++)
            if (values[i] > values[largest]) largest = i;
        return largest;
    }

    /// <summary>Characters as Python counts them: code points.</summary>
    private static int Characters(string text) => text.EnumerateRunes().Count();
}

/// <summary>What a model makes of a file of questions.</summary>
/// <param name="Items">One per question, in order.</param>
public sealed record ChoiceReport(IReadOnlyList<ChoiceResult> Items)
{
    /// <summary>The share of questions, from 0 to 1, of which the likeliest choice is right.</summary>
    public double Accuracy => (double)Items.Count(static item => item.IsCorrect) / Items.Count;

    /// <summary>The same, with log-likelihoods divided by the characters of the choices.</summary>
    public double AccuracyNormalized => (double)Items.Count(static item => item.IsCorrectNormalized) / Items.Count;
}
