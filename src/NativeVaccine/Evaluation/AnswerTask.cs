namespace NativeVaccine.Evaluation;

/// <summary>What the rules say of an answer.</summary>
/// <param name="IsCorrect">By the reference's rule (docs/evaluate.md), whose numbers papers print.</param>
/// <param name="IsStrictlyCorrect">By the strict rule: the answer says this one thing and nothing else.</param>
/// <param name="Reading">What the strict rule reads in the answer: a class, or a number; null for neither.</param>
public sealed record TaskVerdict(bool IsCorrect, bool IsStrictlyCorrect, string? Reading);

/// <summary>A task whose answers can be marked: what the answer should be, and when one is right.</summary>
public abstract class AnswerTask
{
    private protected AnswerTask(string name) => Name = name;

    /// <summary>SST-2: is the review positive or negative?</summary>
    public static AnswerTask Sst2 { get; } = new ClassTask("sst2", [["negative", "Negative"], ["positive", "Positive"]]);

    /// <summary>AG News: which of four topics has the article?</summary>
    public static AnswerTask AgNews { get; } = new ClassTask(
        "ag-news", [["World", "world"], ["Sports", "sports"], ["Business", "business"], ["Sci/Tech", "sci/tech", "sci"]]);

    /// <summary>GSM8K: which number is the final answer?</summary>
    public static AnswerTask Gsm8k { get; } = new NumberTask();

    /// <summary>Any other: is the answer the record's output?</summary>
    public static AnswerTask Match { get; } = new MatchTask();

    /// <summary>All tasks.</summary>
    public static IReadOnlyList<AnswerTask> All { get; } = [Sst2, AgNews, Gsm8k, Match];

    /// <summary>The name by which the command line selects it.</summary>
    public string Name { get; }

    /// <summary>The classes that an answer may name, in the order of their labels; empty for a task that has none.</summary>
    public virtual IReadOnlyList<string> Classes => [];

    /// <summary>What the answer should be, as the task writes it.</summary>
    /// <param name="gold">A class by its name or label; or a text with the number.</param>
    /// <param name="where">Which record it is of, and in which field, for messages.</param>
    /// <exception cref="InputException">It is none.</exception>
    public abstract string Gold(string gold, string where);

    /// <summary>Marks an answer.</summary>
    /// <param name="gold">What it should be, from <see cref="Gold"/>.</param>
    /// <param name="answer">What the model said.</param>
    public abstract TaskVerdict Mark(string gold, string answer);
}
