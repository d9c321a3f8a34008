namespace NativeVaccine.Data;

/// <summary>A question with choices, one of which is right.</summary>
/// <param name="Question">The question.</param>
/// <param name="Choices">Two or more.</param>
/// <param name="Answer">Which choice is right, from 0.</param>
public sealed record ChoiceQuestion(string Question, IReadOnlyList<string> Choices, int Answer)
{
    /// <summary>As many choices as there are letters for.</summary>
    public const int MostChoices = 26;

    /// <summary>What the question is about, in words; null where nobody says.</summary>
    public string? Subject { get; init; }

    /// <summary>The letter by which a choice is named: A for the first one.</summary>
    public static string LetterOf(int choice) => ((char)('A' + choice)).ToString();
}
