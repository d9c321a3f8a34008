using NativeVaccine.Data;

namespace NativeVaccine.Evaluation;

/// <summary>A question of a task, what its answer should be, and the answer that was given.</summary>
/// <param name="Record">The question; the answer is its output, empty where none was given yet.</param>
/// <param name="Gold">What the answer should be, as the task writes it.</param>
public sealed record TaskAnswer(AlpacaRecord Record, string Gold);

/// <summary>An answer that was marked.</summary>
/// <param name="Answer">The answer.</param>
/// <param name="Verdict">What the rules say of it.</param>
public sealed record MarkedAnswer(TaskAnswer Answer, TaskVerdict Verdict);

/// <summary>The answers to a task's questions, marked.</summary>
/// <param name="Task">The task.</param>
/// <param name="Answers">One for each question, in order.</param>
public sealed record TaskReport(AnswerTask Task, IReadOnlyList<MarkedAnswer> Answers)
{
    /// <summary>Marks answers.</summary>
    public static TaskReport Of(AnswerTask task, IEnumerable<TaskAnswer> answers) =>
        new(task, [.. answers.Select(answer => new MarkedAnswer(answer, task.Mark(answer.Gold, answer.Record.Output)))]);

    /// <summary>The share of answers, from 0 to 1, that are right by the reference's rule.</summary>
    public double Accuracy => (double)Answers.Count(static answer => answer.Verdict.IsCorrect) / Answers.Count;

    /// <summary>The same by the strict rule.</summary>
    public double StrictAccuracy => (double)Answers.Count(static answer => answer.Verdict.IsStrictlyCorrect) / Answers.Count;
}
