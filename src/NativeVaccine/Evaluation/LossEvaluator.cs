using NativeVaccine.Data;
using NativeVaccine.Engine;

namespace NativeVaccine.Evaluation;

/// <summary>The loss of one sample.</summary>
/// <param name="Index">Which record of the data it is, from 0.</param>
/// <param name="LossSum">Sum of the cross-entropies of its labels, in nats.</param>
/// <param name="Labels">How many labels count.</param>
public sealed record SampleLoss(int Index, double LossSum, int Labels);

/// <summary>The losses of a data set.</summary>
/// <param name="Samples">One per sample, in order.</param>
public sealed record LossReport(IReadOnlyList<SampleLoss> Samples)
{
    /// <summary>The mean over all labels of all samples, in nats; NaN if there are none.</summary>
    public double MeanLoss => Samples.Sum(static sample => sample.LossSum) / Samples.Sum(static sample => (long)sample.Labels);

    /// <summary>exp(<see cref="MeanLoss"/>).</summary>
    public double Perplexity => Math.Exp(MeanLoss);
}

/// <summary>Takes the loss of a model over a data set, without dropout or perturbation.</summary>
public static class LossEvaluator
{
    /// <summary>Evaluates every sample; several go through the model at a time, as the session's plan has room.</summary>
    /// <param name="session">A session with the model's weights.</param>
    /// <param name="data">The samples.</param>
    /// <param name="progress">Told the part that is done, from 0 to 1.</param>
    /// <param name="cancellation">Ends it early, also within a batch.</param>
    /// <exception cref="InputException">A sample is longer than the plan allows.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static LossReport Evaluate(
        Session session, SampleSet data, IProgress<double>? progress = null, CancellationToken cancellation = default)
    {
        var losses = new List<SampleLoss>(data.Samples.Count);
        while (losses.Count < data.Samples.Count)
        {
            List<Sample> group = NextGroup(data.Samples, losses.Count, session.Plan.Options);
            session.Forward(new Batch(group), new ForwardOptions { ForBackward = false }, cancellation);
            ReadOnlySpan<float> rows = session.ReadLosses();
            foreach (Sample sample in group)
            {
                double sum = 0;
                foreach (float loss in rows[..sample.LabelCount]) sum += loss;
                rows = rows[sample.LabelCount..];
                losses.Add(new SampleLoss(data.Records[losses.Count], sum, sample.LabelCount));
            }
            progress?.Report((double)losses.Count / data.Samples.Count);
        }
        return new LossReport(losses);
    }

    private static List<Sample> NextGroup(IReadOnlyList<Sample> samples, int first, SessionOptions limits)
    {
        var group = new List<Sample>();
        int tokens = 0, parts = 0;
        for (int i = first; i < samples.Count; i++)
        {
            tokens += samples[i].InputIds.Length;
            parts += samples[i].PartLengths.Count;
            if (group.Count > 0 && (tokens > limits.MaxTokens || parts > limits.MaxSamples)) break;
            group.Add(samples[i]);
        }
        return group;
    }
}
