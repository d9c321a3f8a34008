using NativeVaccine.Tokenization;

namespace NativeVaccine.Data;

/// <summary>Makes training sequences of records, by the rules of the reference (docs/methods.md, "Training").</summary>
public sealed class SampleBuilder
{
    private readonly Tokenizer _tokenizer;
    private readonly PromptTemplate _template;
    private readonly int _maxLength;

    /// <summary>A builder of sequences of at most <paramref name="maxLength"/> tokens.</summary>
    /// <exception cref="InputException"><paramref name="maxLength"/> is below 2: nothing could be learnt.</exception>
    public SampleBuilder(Tokenizer tokenizer, PromptTemplate template, int maxLength)
    {
        if (maxLength < 2)
            throw new InputException($"the maximal length is {maxLength} tokens: expected at least 2");
        _tokenizer = tokenizer;
        _template = template;
        _maxLength = maxLength;
    }

    /// <summary>
    /// The sequence for a record, or null if no label is left in it: prompt, output and the end token, cut on the right; the labels of the
    /// first P positions are ignored, where P is the number of tokens of the prompt alone.
    /// </summary>
    /// <remarks>
    /// Prompt and output are joined as text before tokenization, as the reference does; a token across the boundary counts for the prompt
    /// or the output as its position falls. Cutting may drop the end token.
    /// </remarks>
    public Sample? Build(AlpacaRecord record)
    {
        string prompt = _template.Prompt(record.Instruction, record.Input);
        int promptLength = _tokenizer.Encode(prompt).Length;
        int[] whole = _tokenizer.Encode(prompt + record.Output);
        int[] inputIds = _tokenizer.EndOfSequenceId is { } end ? [.. whole, end] : whole;
        return Trim(inputIds, WithoutPrompt(inputIds, promptLength));
    }

    /// <summary>Cuts a sequence of ready tokens to the maximal length; null if no label is left.</summary>
    public Sample? Trim(int[] inputIds, int[] labels)
    {
        int length = Math.Min(inputIds.Length, _maxLength);
        var sample = new Sample(inputIds[..length], labels[..length]);
        return sample.LabelCount == 0 ? null : sample;
    }

    private static int[] WithoutPrompt(int[] inputIds, int promptLength)
    {
        int[] labels = [.. inputIds];
        labels.AsSpan(0, Math.Min(promptLength, labels.Length)).Fill(Sample.IgnoredLabel);
        return labels;
    }
}
