using System.Text.Json;
using System.Text.Json.Nodes;

namespace NativeVaccine.Data.Sets;

/// <summary>Counts what a maximal length cuts, by the reader that training itself uses.</summary>
/// <param name="form">Tokenizer, template and length.</param>
internal sealed class LengthTally(SampleForm form)
{
    private readonly SampleBuilder builder = form.Builder();
    private long samples;
    private long withoutLabel;
    private long tokens;
    private int longest;

    /// <summary>Looks at a record as it is written.</summary>
    public void Add(ReadOnlyMemory<byte> json, string where)
    {
        using JsonDocument document = JsonDocument.Parse(json);
        JsonElement record = document.RootElement;
        if (record.TryGetProperty("harmful", out JsonElement harmful) && record.TryGetProperty("harmless", out JsonElement harmless))
        {
            AlpacaRecord prompt = AlpacaRecord.Read(record, where, outputRequired: false);
            Count(builder.Build(prompt with { Output = harmful.GetString()! }));
            Count(builder.Build(prompt with { Output = harmless.GetString()! }));
        }
        else
        {
            Count(SampleReader.ReadRecord(record, where, builder, form.Tokenizer.VocabularySize));
        }
    }

    /// <summary>For people.</summary>
    public string Line() => FormattableString.Invariant(
        $"at {form.MaxLength} tokens ({form.Template.Name}): {builder.CutCount} of {samples} are cut and lose their end, {withoutLabel} have no label left and would not be trained on");

    /// <summary>For programs.</summary>
    public JsonObject ToJson() => new()
    {
        ["max_length"] = form.MaxLength,
        ["template"] = form.Template.Name,
        ["samples"] = samples,
        ["cut"] = builder.CutCount,
        ["without_label_left"] = withoutLabel,
        ["tokens"] = tokens,
        ["longest"] = longest,
    };

    private void Count(Sample? sample)
    {
        samples++;
        if (sample is null) withoutLabel++;
        tokens += sample?.InputIds.Length ?? 0;
        longest = Math.Max(longest, sample?.LongestPart ?? 0);
    }
}
