using NativeVaccine.IO;
using NativeVaccine.Training;

namespace NativeVaccine.Data.Sets;

/// <summary>
/// BeaverTails with refusals: <c>refusal</c> is "Question: {q}\nAnswer: {a}". The first delimiter counts and the prefix is stripped once; the
/// authors' program loses what follows a second delimiter and takes every "Question: " out of the question. A record without a delimiter
/// does not fit (their program stops there). Records are taken whatever their <c>is_safe</c>, as there; pairs only where the response is
/// unsafe, since it is the harmful side.
/// </summary>
internal sealed class RefusalSet() : DataSet(
    "refusals",
    "BeaverTails with refusals (refusal): refused questions to align with, or pairs with the harmful responses",
    "--from ./beavertails_with_refusals_train.json --out refusals.json --limit 2000")
{
    private const string Prefix = "Question: ";
    private const string Delimiter = "\nAnswer: ";
    private const string Unsafe = "unsafe";
    private const string Safe = "safe";

    /// <inheritdoc/>
    public override IReadOnlyList<string> Kinds => [Unsafe, Safe];

    /// <inheritdoc/>
    public override IReadOnlyList<RecordForm> Forms => [RecordForm.Records, RecordForm.Prompts, RecordForm.Pairs];

    /// <inheritdoc/>
    public override string ReferenceDiffers => "text after a second delimiter is lost, and every \"Question: \" in a question";

    /// <inheritdoc/>
    internal override string Expected => "refusal (\"Question: ...\\nAnswer: ...\"); for pairs also response, is_safe";

    /// <inheritdoc/>
    public override string DefaultKindFor(Preset preset, RecordForm form) => form == RecordForm.Pairs ? Unsafe : AllKinds;

    /// <inheritdoc/>
    internal override ConvertedRecord Convert(SetRecord record, long index, ConversionOptions options)
    {
        bool needsSafety = options.Form == RecordForm.Pairs || options.Kind != AllKinds;
        string? kind = needsSafety || record.Has("is_safe") ? record.Flag("is_safe") ? Safe : Unsafe : null;
        if (record.Answer("refusal") is not { } refusal)
            return new ConvertedRecord(record.OptionalText("prompt") ?? "", "", null) { Kind = kind };
        int delimiter = refusal.IndexOf(Delimiter, StringComparison.Ordinal);
        if (delimiter < 0)
            throw new InputException($"{record.Where}: field 'refusal' has no line that begins with 'Answer: ': expected {InputText.Quote($"{Prefix}...{Delimiter}...")}");
        string question = refusal[..delimiter];
        string answer = refusal[(delimiter + Delimiter.Length)..];
        if (options.Preset == Preset.Reference)
        {
            question = question.Replace(Prefix, "", StringComparison.Ordinal);
            answer = answer.Split(Delimiter)[0];
        }
        else if (question.StartsWith(Prefix, StringComparison.Ordinal))
        {
            question = question[Prefix.Length..];
        }
        return new ConvertedRecord(question, "", answer)
        {
            Kind = kind,
            Harmful = options.Form == RecordForm.Pairs ? record.Text("response") : null,
            Categories = record.Names("category"),
        };
    }
}
