using NativeVaccine.Training;

namespace NativeVaccine.Data.Sets;

/// <summary>
/// Alpaca records, and AlpacaEval's 805 with their reference outputs (known by generator and dataset), of which those after index 700 are
/// held out for the test: they are never trained on unless asked for. The authors' program trains on the first n whatever n is.
/// </summary>
internal sealed class AlpacaSet() : DataSet(
    "alpaca",
    "Alpaca (instruction, input, output); of AlpacaEval the records after index 700 only with --only held-out",
    "--from ./alpaca_eval_gpt4_baseline.json --out alpaca.json --limit 700")
{
    private const int LastOfTraining = 700;
    private const string Training = "training";
    private const string HeldOut = "held-out";

    /// <inheritdoc/>
    public override IReadOnlyList<string> Kinds => [Training, HeldOut];

    /// <inheritdoc/>
    public override string ReferenceDiffers => "records that are held out for the test are taken too";

    /// <inheritdoc/>
    internal override bool NamesUnusedFields => true;

    /// <inheritdoc/>
    internal override string Expected => "instruction, input (optional), output";

    /// <inheritdoc/>
    public override string DefaultKindFor(Preset preset, RecordForm form) => preset == Preset.Reference ? AllKinds : Training;

    /// <inheritdoc/>
    internal override ConvertedRecord Convert(SetRecord record, long index, ConversionOptions options)
    {
        bool isOfEvaluation = record.Has("generator") && record.Has("dataset");
        return new ConvertedRecord(record.Text("instruction"), record.OptionalText("input") ?? "", record.Answer("output"))
        {
            Kind = isOfEvaluation && index > LastOfTraining ? HeldOut : Training,
        };
    }
}
