namespace NativeVaccine.Data.Sets;

/// <summary>
/// GSM8K: word problems with worked answers, whose result stands after <c>####</c>. As in the authors' program the mark becomes words; the
/// space that follows it in the data stays, so that there are two.
/// </summary>
internal sealed class Gsm8kSet() : DataSet(
    "gsm8k",
    "GSM8K (question, answer): word problems with worked answers",
    "--from ./gsm8k/main --split train --out gsm8k.json --limit 1000")
{
    /// <summary>Before the result in the data.</summary>
    private const string Mark = "####";
    private const string Words = "The final answer is: ";
    private const string Suffix = "\nFirst think step by step and then answer the final number.\n";

    /// <inheritdoc/>
    internal override string Expected => "question, answer";

    /// <inheritdoc/>
    internal override ConvertedRecord Convert(SetRecord record, long index, ConversionOptions options)
    {
        string? answer = record.Answer("answer");
        bool hasResult = answer?.Contains(Mark, StringComparison.Ordinal) == true;
        return new ConvertedRecord(record.Text("question") + Suffix, "", answer?.Replace(Mark, Words, StringComparison.Ordinal))
        {
            Labels = answer is null || hasResult ? [] : [$"without {Mark}"],
        };
    }
}
