using NativeVaccine.Data;

namespace NativeVaccine.Engine;

/// <summary>
/// Samples one after another without padding: sample s is tokens <see cref="Offsets"/>[s] to <see cref="Offsets"/>[s + 1] - 1.
/// Attention does not cross from one to the next. A data sample of several parts is several samples here.
/// </summary>
public sealed class Batch
{
    /// <summary>The engine's limit of every size.</summary>
    private const int MostTokens = 1 << 24;

    private readonly int[] inputIds;
    private readonly int[]? labels;
    private readonly int[] offsets;
    private readonly int[] labelCounts;

    /// <summary>A batch with labels, for losses and gradients.</summary>
    /// <exception cref="ArgumentException">There is no sample, or one is empty or has not a label for each token.</exception>
    public Batch(IReadOnlyList<Sample> samples)
        : this(
            [.. samples.SelectMany(static sample => sample.Split(sample.InputIds))],
            [.. samples.SelectMany(static sample => sample.Split(sample.Labels))])
    {
    }

    private Batch(int[][] ids, int[][]? labels)
    {
        if (ids.Length == 0) throw new ArgumentException("a batch needs a sample");
        for (int sample = 0; sample < ids.Length; sample++)
        {
            if (ids[sample].Length == 0) throw new ArgumentException($"sample {sample} has no tokens");
            if (labels is not null && labels[sample].Length != ids[sample].Length)
                throw new ArgumentException($"sample {sample} has {ids[sample].Length} tokens and {labels[sample].Length} labels");
        }
        inputIds = [.. ids.SelectMany(static tokens => tokens)];
        this.labels = labels is null ? null : [.. labels.SelectMany(static values => values)];
        offsets = new int[ids.Length + 1];
        for (int sample = 0; sample < ids.Length; sample++) offsets[sample + 1] = offsets[sample] + ids[sample].Length;
        LongestSample = ids.Max(static tokens => tokens.Length);
        labelCounts = labels is null ? new int[ids.Length] : [.. labels.Select(Sample.CountOf)];
    }

    /// <summary>T.</summary>
    public int TokenCount => inputIds.Length;

    /// <summary>B.</summary>
    public int SampleCount => offsets.Length - 1;

    /// <summary>Tokens of the longest sample.</summary>
    public int LongestSample { get; }

    /// <summary>True if there are labels, and with them a loss.</summary>
    public bool HasLabels => labels is not null;

    /// <summary>T token ids.</summary>
    public ReadOnlySpan<int> InputIds => inputIds;

    /// <summary>T labels, unshifted; empty without labels.</summary>
    public ReadOnlySpan<int> Labels => labels;

    /// <summary>B + 1 places where samples begin, and the end.</summary>
    public ReadOnlySpan<int> Offsets => offsets;

    /// <summary>B counts of the labels that take part in the loss.</summary>
    public ReadOnlySpan<int> LabelCounts => labelCounts;

    /// <summary>A sample, with its labels.</summary>
    internal Sample SampleAt(int index)
    {
        Range tokens = offsets[index]..offsets[index + 1];
        return new Sample(inputIds[tokens], labels is null ? throw new InvalidOperationException("the batch has no labels") : labels[tokens]);
    }

    /// <summary>Tokens of a batch that is still to be made, as a number that a batch can have.</summary>
    /// <exception cref="InputException">They are more than the engine takes.</exception>
    public static int RequireTokens(long tokens) => tokens <= MostTokens
        ? (int)tokens
        : throw new InputException(
            $"a batch of {tokens} tokens is too large; expected at most {MostTokens}: fewer samples at a time, or shorter ones");

    /// <summary>A batch without labels, for logits or generation.</summary>
    /// <exception cref="ArgumentException">There is no prompt, or one is empty.</exception>
    public static Batch OfPrompts(IReadOnlyList<int[]> prompts) => new([.. prompts], null);
}
