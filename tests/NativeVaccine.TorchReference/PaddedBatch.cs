using static TorchSharp.torch;

namespace NativeVaccine.TorchReference;

/// <summary>Samples padded on the right to the longest.</summary>
/// <param name="Ids">int64 (B, T).</param>
/// <param name="Labels">int64 (B, T), unshifted, padding ignored.</param>
/// <param name="RealTokens">bool (B, T); null where all samples are equally long.</param>
/// <param name="LabelCount">Labels that the loss counts.</param>
internal sealed record PaddedBatch(Tensor Ids, Tensor Labels, Tensor? RealTokens, int LabelCount)
{
    public static PaddedBatch Of(IReadOnlyList<ReferenceSample> samples)
    {
        int length = samples.Max(sample => sample.Ids.Length);
        var ids = new long[samples.Count * length];
        var labels = new long[ids.Length];
        var real = new bool[ids.Length];
        Array.Fill(labels, ReferenceSample.Ignored);
        for (int i = 0; i < samples.Count; i++)
        {
            for (int t = 0; t < samples[i].Ids.Length; t++)
            {
                ids[(i * length) + t] = samples[i].Ids[t];
                labels[(i * length) + t] = samples[i].Labels[t];
                real[(i * length) + t] = true;
            }
        }
        long[] shape = [samples.Count, length];
        return new PaddedBatch(
            tensor(ids, shape),
            tensor(labels, shape),
            real.All(isReal => isReal) ? null : tensor(real, shape),
            samples.Sum(sample => sample.LabelCount));
    }

    /// <summary>Cross-entropy of logits (B, T, vocabulary), shifted by one, summed over the labelled tokens: a scalar.</summary>
    public Tensor LossSum(Tensor logits)
    {
        long predicting = logits.shape[1] - 1;
        Tensor rows = logits.narrow(1, 0, predicting).reshape(-1, logits.shape[2]);
        return nn.functional.cross_entropy(
            rows, Labels.narrow(1, 1, predicting).reshape(-1), ignore_index: ReferenceSample.Ignored, reduction: nn.Reduction.Sum);
    }

    /// <summary>The sum of (B, T, vocabulary) over the rows whose next token is a label: a scalar.</summary>
    public Tensor SumOverLabelled(Tensor values)
    {
        long predicting = values.shape[1] - 1;
        Tensor labelled = Labels.narrow(1, 1, predicting).ne(ReferenceSample.Ignored).to(values.dtype).unsqueeze(-1);
        return (values.narrow(1, 0, predicting) * labelled).sum();
    }
}
