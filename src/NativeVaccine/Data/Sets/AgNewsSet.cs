namespace NativeVaccine.Data.Sets;

/// <summary>AG News: a news article, and which of four categories it is of.</summary>
internal sealed class AgNewsSet() : DataSet(
    "ag-news",
    "AG News (text, label): which category is an article of?",
    "--from ./ag_news/data --split train --out ag-news.json --limit 1000")
{
    private const string Instruction = "Categorize the news article given in the input into one of the 4 categories:\n\nWorld\nSports\nBusiness\nSci/Tech\n";

    /// <inheritdoc/>
    internal override string Expected => "text, label (0 World, 1 Sports, 2 Business, 3 Sci/Tech)";

    /// <inheritdoc/>
    internal override ConvertedRecord Convert(SetRecord record, long index, ConversionOptions options)
    {
        string? label = record.Class("label", ["World"], ["Sports"], ["Business"], ["Sci/Tech"]);
        return new ConvertedRecord(Instruction, record.Text("text"), label) { Labels = label is null ? [] : [label] };
    }
}
