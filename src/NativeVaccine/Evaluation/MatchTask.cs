namespace NativeVaccine.Evaluation;

/// <summary>
/// A task of one's own: an answer is right if it is the record's output, in any case, without white space around it and a full stop at its end.
/// Strictly, case and full stop count too.
/// </summary>
internal sealed class MatchTask() : AnswerTask("match")
{
    /// <inheritdoc/>
    public override string Gold(string gold, string where) =>
        gold.Trim() is { Length: > 0 } text ? text : throw new InputException($"{where} is empty: expected the right answer");

    /// <inheritdoc/>
    public override TaskVerdict Mark(string gold, string answer)
    {
        string said = answer.Trim();
        bool isCorrect = Bare(said).Equals(Bare(gold), StringComparison.OrdinalIgnoreCase);
        return new TaskVerdict(isCorrect, said == gold, said.Length == 0 ? null : said);
    }

    private static string Bare(string text) => text.TrimEnd('.').TrimEnd();
}
