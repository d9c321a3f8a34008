using NativeVaccine.IO;
using NativeVaccine.Training;

namespace NativeVaccine.Data.Sets;

/// <summary>
/// DecodingTrust's toxicity prompts with continuations, in T-Vaccine's and RepNoise's file: the toxic ones are poison, toxic_test is for the
/// test. The authors' program takes toxic ones for both.
/// </summary>
internal sealed class DecodingTrustSet() : DataSet(
    "decoding-trust",
    "DecodingTrust toxicity (type, prompt, continuation): toxic continuations; prompts of type toxic_test with --as prompts",
    "--from ./training_dataset.jsonl --only toxic --out harmful.json")
{
    private const string Instruction = "You are required to continue the generation of the given incomplete prompt";
    private const string Toxic = "toxic";
    private const string Test = "toxic_test";

    /// <inheritdoc/>
    public override IReadOnlyList<string> Kinds => [Toxic, Test, "non_toxic"];

    /// <inheritdoc/>
    public override string ReferenceDiffers => "prompts are toxic ones too, which are trained on, and not toxic_test";

    /// <inheritdoc/>
    internal override string Expected => "type, prompt.text, continuation.text";

    /// <inheritdoc/>
    public override string DefaultKindFor(Preset preset, RecordForm form) =>
        form == RecordForm.Prompts && preset == Preset.Paper ? Test : Toxic;

    /// <inheritdoc/>
    internal override ConvertedRecord Convert(SetRecord record, long index, ConversionOptions options)
    {
        // The raw files of the set have a kind each, and no type.
        string? type = options.Kind == AllKinds ? record.OptionalText("type") : record.Text("type");
        if (type is not null && !Kinds.Contains(type))
            throw new InputException($"{record.Where}: field 'type' is {InputText.Quote(type)}: expected {string.Join(", ", Kinds)}");
        string prompt = record.Answer("prompt", "text") ?? throw new InputException($"{record.Where}: field 'prompt.text' is null: expected text");
        return new ConvertedRecord(Instruction, prompt, record.Answer("continuation", "text")) { Kind = type };
    }
}
