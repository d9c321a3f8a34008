namespace NativeVaccine.Data.Sets;

/// <summary>SST-2: a sentence of a review, and whether it is positive. Test splits have the label -1: none.</summary>
internal sealed class Sst2Set() : DataSet(
    "sst2",
    "SST-2 (sentence, label): is a review positive or negative?",
    "--from ./sst2/data --split train --out sst2.json --limit 1000")
{
    private const string Instruction = "Analyze the sentiment of the input, and respond only positive or negative";

    /// <inheritdoc/>
    internal override string Expected => "sentence, label (0 negative, 1 positive)";

    /// <inheritdoc/>
    internal override ConvertedRecord Convert(SetRecord record, long index, ConversionOptions options)
    {
        string? label = record.Class("label", ["negative", "neg"], ["positive", "pos"]);
        return new ConvertedRecord(Instruction, record.Text("sentence"), label) { Labels = label is null ? [] : [label] };
    }
}
