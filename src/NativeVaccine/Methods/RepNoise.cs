using NativeVaccine.Data;
using NativeVaccine.Engine;
using NativeVaccine.Training;

namespace NativeVaccine.Methods;

/// <summary>Where <see cref="RepNoise"/> looks at the harmful answers.</summary>
public enum RepNoiseTaps
{
    /// <summary>As the authors' program: L + 2 losses over L + 1, the last layer's twice, once normed and once normed again.</summary>
    Formula,

    /// <summary>Every point of the residual stream once, through the final norm once: the mean of L + 1 losses.</summary>
    Clean,
}

/// <summary>
/// RepNoise (Rosati et al., arXiv 2405.14577, section 3): the model keeps its harmless answers, unlearns the harmful ones at every depth, and
/// what its MLPs compute of these becomes like Gaussian noise. loss = CE_r + beta R - alpha ln(A + 1), over pairs of answers to one prompt.
/// </summary>
public sealed class RepNoise(MethodSettings settings) : Method
{
    private static readonly NumberOption Alpha = new("alpha", "weight of unlearning the harmful answers; RepNoise's own program has 1", 0.1);
    private static readonly NumberOption Beta = new("beta", "weight of the noise loss (MMD); 0 leaves it out", 0.001);
    private static readonly WordOption<RepNoiseTaps> Taps =
        new("taps", "losses of harmful answers: as the program's formula (last layer twice), or each depth once", RepNoiseTaps.Formula);
    private static readonly PoolOption PairedData = new(
        "paired_data",
        "pairs, in place of --data: records of instruction, input, harmful, harmless (.json, .jsonl), or for each side a record as --data "
        + "takes it, with pool (harmful, harmless) and index",
        SampleKind.Harmful)
    { OfPairs = true };

    /// <summary>Its name and options.</summary>
    public static MethodInfo Info { get; } = new("repnoise", static settings => new RepNoise(settings))
    {
        Stages = [TrainingStage.Align],
        Options = [PairedData, Alpha, Beta, Taps],
        Metrics =
        [
            new("harmless_loss", "Loss of harmless answers", "Mean cross-entropy where they differ from the harmful ones."),
            new("harmful_mean", "Loss of harmful answers", "Mean over all depths: it is to rise."),
            new("noise_loss", "Distance from noise", "Squared maximum mean discrepancy of the MLP outputs and Gaussian noise."),
        ],
        WhyNoReference = "the program's batches are not paired, and its masks corrupt token ids",
    };

    /// <inheritdoc/>
    public override MethodNeeds Needs { get; } = new() { MlpSites = new SiteBudget(settings.Get(Beta) > 0 ? 3 : 0) };

    /// <summary>Fills the noise of a micro-batch.</summary>
    internal Action<SiteTensor, MicroBatch> FillNoise { get; init; } =
        static (noise, micro) => noise.Fill(1, micro.Seed, micro.Number, micro.Batch.TokenCount);

    /// <inheritdoc/>
    public override void Step(StepContext step)
    {
        step.Session.Gradients.Zero();
        foreach ((MicroBatch harmless, MicroBatch harmful) in step.Take(SampleKind.Training).Zip(step.Take(SampleKind.Harmful)))
        {
            double share = harmless.Share;
            (double noise, double unlearned) = AddHarmful(step, harmful, MaskedSide.Of(harmful.Batch, harmless.Batch), share);
            double kept = AddHarmless(step, harmless, MaskedSide.Of(harmless.Batch, harmful.Batch), share);
            step.Metrics.Loss += share * (kept + (settings.Get(Beta) * noise) - (settings.Get(Alpha) * unlearned));
        }
        step.Update(step.Session.AllTensors);
    }

    /// <summary>CE_r, and its gradient.</summary>
    private static double AddHarmless(StepContext step, MicroBatch micro, MaskedSide side, double share)
    {
        PassResult pass = step.Session.Forward(side.Batch, micro.PassOptions(pass: 1));
        step.Session.Backward(new BackwardOptions { Gradients = step.Session.Gradients, LossScale = (float)(share * side.PassShare) });
        double loss = side.Mean(pass.MeanLoss, step.Session);
        step.Metrics.Add("harmless_loss", share * loss);
        step.Metrics.Add("harmless_labels", side.LabelCount);
        return loss;
    }

    /// <summary>R and ln(A + 1), and the gradient of beta R - alpha ln(A + 1).</summary>
    private (double Noise, double Unlearned) AddHarmful(StepContext step, MicroBatch micro, MaskedSide side, double share)
    {
        Session session = step.Session;
        SiteTensor[] sites = [.. Enumerable.Range(0, Needs.MlpSites.Tensors).Select(index => session.Site(SiteKind.MlpOutput, index))];
        foreach (SiteTensor site in sites) site.Select(LayerSet.All(session.LayerCount));
        LossHead[] heads = Heads(session.LayerCount);
        PassResult pass = session.Forward(side.Batch, micro.PassOptions(pass: 1) with { Heads = heads, Record = [.. sites.Take(1)] });

        double noise = sites is [SiteTensor z, SiteTensor xi, SiteTensor gradient] ? AddNoiseLoss(step, micro, side, share, z, xi, gradient) : 0;
        double[] losses = [.. heads.Select((_, head) => side.Mean(pass.HeadLoss(head), session))];
        double mean = losses.Sum() / (session.LayerCount + 1);
        session.Backward(new BackwardOptions
        {
            Gradients = session.Gradients,
            LossScale = (float)(-settings.Get(Alpha) / (mean + 1) * share * side.PassShare),
            Add = [.. sites.Skip(2)],
        });

        step.Metrics.Add("harmful_loss", share * losses[session.LayerCount]);
        step.Metrics.Add("harmful_tap_losses", [.. TapLosses(losses, session.LayerCount).Select(loss => share * loss)]);
        step.Metrics.Add("harmful_mean", share * mean);
        step.Metrics.Add("harmful_labels", side.LabelCount);
        return (noise, Math.Log(mean + 1));
    }

    /// <summary>R = mean over layers of MMD(z m, xi m), and the gradient of beta R at the MLP outputs z.</summary>
    private double AddNoiseLoss(
        StepContext step, MicroBatch micro, MaskedSide side, double share, SiteTensor z, SiteTensor xi, SiteTensor gradient)
    {
        FillNoise(xi, micro);
        z.MaskRows(side.Mask);
        xi.MaskRows(side.Mask);
        gradient.Zero(micro.Batch.TokenCount);
        double[] byLayer = Discrepancy(z, xi, gradient, share * settings.Get(Beta) / step.Session.LayerCount);
        gradient.MaskRows(side.Mask); // z m does not move with z where m is 0
        step.Metrics.Add("noise_loss", share * byLayer.Average());
        step.Metrics.Add("mmd", [.. byLayer.Select(layer => share * layer)]);
        return byLayer.Average();
    }

    /// <summary>
    /// The squared maximum mean discrepancy (MMD) of x's samples and y's on each layer, with k = sum over q of exp(-D / (w 2^q)), q = 0 to 4, D
    /// the squared distance of two samples and w a quarter of its mean over different ones, x's and y's together. No gradient goes through w.
    /// </summary>
    /// <param name="x">Samples.</param>
    /// <param name="y">Samples, as many.</param>
    /// <param name="gradient">Its gradient by x is added to this, times <paramref name="factor"/>.</param>
    /// <param name="factor">See <paramref name="gradient"/>.</param>
    internal static double[] Discrepancy(SiteTensor x, SiteTensor y, SiteTensor gradient, double factor)
    {
        (double[,,] xx, double[,,] xy, double[,,] yy) = (x.Gram(x), x.Gram(y), y.Gram(y));
        (int layers, int n) = (xx.GetLength(0), xx.GetLength(1));
        (double[,,] toX, double[,,] toY, double[] values) = (new double[layers, n, n], new double[layers, n, n], new double[layers]);
        for (int l = 0; l < layers; l++)
        {
            double[,] squares = Squares(xx, xy, yy, l);
            double width = squares.Cast<double>().Sum() / ((4 * n * n) - (2 * n)) / 4;
            for (int i = 0; i < squares.Length; i++)
            {
                (int a, int b) = (i / (2 * n), i % (2 * n));
                double weight = (a < n == b < n ? 1.0 : -1.0) / (n * n);
                (double value, double slope) = Kernels(squares[a, b], width);
                values[l] += weight * value;
                if (a >= n) continue;
                double pull = 4 * factor * weight * slope; // |a - b|^2 has the slope 2 (a - b), and counts as [a, b] and as [b, a]
                toX[l, a, a] += pull;
                if (b < n) toX[l, a, b] -= pull;
                else toY[l, a, b - n] -= pull;
            }
        }
        gradient.AddCombination(toX, x);
        gradient.AddCombination(toY, y);
        return values;
    }

    /// <summary>Squared distances between all samples of a layer, x's before y's.</summary>
    private static double[,] Squares(double[,,] xx, double[,,] xy, double[,,] yy, int l)
    {
        int n = xx.GetLength(1);
        double Product(int a, int b) => (a < n, b < n) switch
        {
            (true, true) => xx[l, a, b],
            (true, false) => xy[l, a, b - n],
            (false, true) => xy[l, b, a - n],
            (false, false) => yy[l, a - n, b - n],
        };
        double[,] squares = new double[2 * n, 2 * n];
        for (int a = 0; a < 2 * n; a++)
        {
            for (int b = 0; b < 2 * n; b++) squares[a, b] = Product(a, a) + Product(b, b) - (2 * Product(a, b));
        }
        return squares;
    }

    private static (double Value, double Slope) Kernels(double square, double width)
    {
        (double value, double slope) = (0, 0);
        for (double w = width, q = 0; q < 5; q++, w *= 2)
        {
            value += Math.Exp(-square / w);
            slope -= Math.Exp(-square / w) / w;
        }
        return (value, slope);
    }

    /// <summary>The losses of A, each with weight 1 / (L + 1): of points 0 to L, and where the formula says so of point L normed twice.</summary>
    private LossHead[] Heads(int layers)
    {
        float weight = 1f / (layers + 1);
        IEnumerable<LossHead> once = Enumerable.Range(0, layers + 1).Select(point => new LossHead(point, Weight: weight));
        return settings.Get(Taps) == RepNoiseTaps.Formula ? [.. once, new LossHead(layers, Weight: weight, Norms: 2)] : [.. once];
    }

    /// <summary>Of the formula's L + 2 losses the last is tap L, and the one before is that of the model's own logits.</summary>
    private static IEnumerable<double> TapLosses(double[] losses, int layers) => losses[..layers].Append(losses[^1]);

    /// <summary>
    /// A side of pairs. What counts are the labels where the sides differ. Those whose predecessor does not are scored from all-zero logits,
    /// ln V each without a gradient, so that only the others go through the model.
    /// </summary>
    /// <param name="Batch">The samples with the labels that go through the model.</param>
    /// <param name="Mask">For each token of the batch, whether the sides differ there.</param>
    /// <param name="LabelCount">Labels that count.</param>
    private sealed record MaskedSide(Batch Batch, bool[] Mask, int LabelCount)
    {
        /// <summary>The part of them that goes through the model.</summary>
        public double PassShare => (double)Batch.LabelCounts.ToArray().Sum() / LabelCount;

        public static MaskedSide Of(Batch side, Batch other)
        {
            (Sample Sample, Sample Other)[] pairs =
                [.. Enumerable.Range(0, side.SampleCount).Select(index => (side.SampleAt(index), other.SampleAt(index)))];
            bool[][] masks = [.. pairs.Select(static pair => PairMask.Of(pair.Sample, pair.Other))];
            Sample[] samples = [.. pairs.Zip(masks, static (pair, mask) => pair.Sample with { Labels = PairMask.Labels(pair.Sample, mask) })];
            return new MaskedSide(
                new Batch([.. samples.Zip(masks, static (sample, mask) => sample with { Labels = AfterMarks(sample.Labels, mask) })]),
                [.. masks.SelectMany(static mask => mask)],
                samples.Sum(static sample => sample.LabelCount));
        }

        /// <summary>The mean loss of the labels that count, given that of the labels that went through the model.</summary>
        public double Mean(double passMean, Session session) => PassShare == 0
            ? Math.Log(session.Configuration.VocabularySize)
            : (PassShare * passMean) + ((1 - PassShare) * Math.Log(session.Configuration.VocabularySize));

        private static int[] AfterMarks(int[] labels, bool[] mask) =>
            [.. labels.Select((label, t) => t > 0 && mask[t - 1] ? label : Sample.IgnoredLabel)];
    }
}
