using NativeVaccine.Training;

namespace NativeVaccine.Data.Sets;

/// <summary>
/// BeaverTails: a prompt, an answer, and whether that is safe; also the file with refusals, whose own answers are taken. The unsafe ones are
/// poison, T-Vaccine's probe pool, and (as prompts) the harmful test.
/// </summary>
internal sealed class BeaverTailsSet() : DataSet(
    "beavertails",
    "BeaverTails (prompt, response, is_safe): harmful answers, or safe ones with --only safe",
    "--from ./BeaverTails/round0/30k/test.jsonl.gz --as prompts --out questions.json --limit 500")
{
    private const string Unsafe = "unsafe";
    private const string Safe = "safe";

    /// <inheritdoc/>
    public override IReadOnlyList<string> Kinds => [Unsafe, Safe];

    /// <inheritdoc/>
    internal override string Expected => "prompt, response, is_safe";

    /// <inheritdoc/>
    public override string DefaultKindFor(Preset preset, RecordForm form) => Unsafe;

    /// <inheritdoc/>
    internal override ConvertedRecord Convert(SetRecord record, long index, ConversionOptions options) =>
        new(record.Text("prompt"), "", record.Answer("response"))
        {
            Kind = record.Flag("is_safe") ? Safe : Unsafe,
            Categories = record.Names("category"),
        };
}
