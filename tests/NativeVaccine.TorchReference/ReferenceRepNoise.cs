using static TorchSharp.torch;

namespace NativeVaccine.TorchReference;

/// <summary>A batch of pairs, both sides of each padded to one length, and RepNoise's loss of it, written as the formula says it.</summary>
/// <param name="harmless">One side.</param>
/// <param name="harmful">The other, as many.</param>
internal sealed class ReferenceRepNoise(IReadOnlyList<ReferenceSample> harmless, IReadOnlyList<ReferenceSample> harmful)
{
    private readonly PaddedBatch both = PaddedBatch.Of([.. harmless, .. harmful]);

    /// <summary>CE_r + beta R - alpha ln(A + 1).</summary>
    /// <param name="forward">The model.</param>
    /// <param name="sites">Where it leaves the values of the last pass.</param>
    /// <param name="alpha">Weight of ln(A + 1).</param>
    /// <param name="beta">Weight of R.</param>
    /// <param name="noise">Of each layer (tokens of the harmful side, hidden), without padding.</param>
    public Tensor Loss(LlamaForward forward, Dictionary<ReferenceSite, Tensor> sites, double alpha, double beta, IReadOnlyList<double[]> noise)
    {
        int n = harmless.Count, layers = noise.Count;
        long[] ids = both.Ids.data<long>().ToArray(), labels = both.Labels.data<long>().ToArray();
        Tensor Mask(int side) => tensor(
            [.. Enumerable.Range(0, ids.Length / 2).Select(i =>
            {
                (int own, int other) = side == 0 ? (i, i + (ids.Length / 2)) : (i + (ids.Length / 2), i);
                return labels[own] != ReferenceSample.Ignored && ids[own] != ids[other] ? 1L : 0L;
            })],
            [n, both.Ids.shape[1]]);

        Tensor harmlessLoss = MaskedLoss(Logits(forward, 0, n), Mask(0), 0);
        Tensor mask = Mask(1);
        Tensor sum = MaskedLoss(Logits(forward, n, n), mask, n);
        for (int point = 0; point <= layers; point++)
            sum = sum.Plus(MaskedLoss(forward.Head(sites[new(ReferenceSiteKind.Residual, point)], point == layers ? 2 : 1), mask, n));
        Tensor loss = harmlessLoss.Plus(sum.Times(1.0 / (layers + 1)).Plus(1.0).log().Times(-alpha));
        for (int layer = 0; layer < layers; layer++)
        {
            Tensor z = sites[new(ReferenceSiteKind.MlpOutput, layer)];
            Tensor marked = mask.unsqueeze(-1).to(z.dtype);
            loss = loss.Plus(Discrepancy((z * marked).reshape(n, -1), (Padded(noise[layer], z) * marked).reshape(n, -1)).Times(beta / layers));
        }
        return loss;
    }

    /// <summary>MMD of the rows of x and y.</summary>
    private static Tensor Discrepancy(Tensor x, Tensor y)
    {
        long n = x.shape[0], all = 2 * n;
        Tensor rows = cat([x, y], 0);
        Tensor difference = rows.unsqueeze(0).Plus(rows.unsqueeze(1).Times(-1));
        Tensor squares = (difference * difference).sum(-1);
        double width = squares.Copy().Sum() / ((all * all) - all) / 4;
        Tensor kernel = squares.Times(-1 / width).exp();
        for (int q = 1; q < 5; q++) kernel = kernel.Plus(squares.Times(-1 / (width * (1 << q))).exp());
        Tensor Block(long row, long column) => kernel.narrow(0, row, n).narrow(1, column, n);
        return Block(0, 0).Plus(Block(n, n)).Plus(Block(0, n).Plus(Block(n, 0)).Times(-1)).mean();
    }

    private Tensor Logits(LlamaForward forward, int first, int count) =>
        forward.Logits(both.Ids.narrow(0, first, count), both.RealTokens?.narrow(0, first, count));

    /// <summary>-log softmax(x[t] m[t]) of the label id[t + 1] m[t + 1], where that is not 0: the mean.</summary>
    private Tensor MaskedLoss(Tensor logits, Tensor mask, int first)
    {
        long predicting = logits.shape[1] - 1;
        Tensor masked = logits * mask.unsqueeze(-1).to(logits.dtype);
        Tensor labels = both.Ids.narrow(0, first, mask.shape[0]) * mask;
        return nn.functional.cross_entropy(
            masked.narrow(1, 0, predicting).reshape(-1, logits.shape[2]), labels.narrow(1, 1, predicting).reshape(-1), ignore_index: 0);
    }

    private Tensor Padded(double[] packed, Tensor like)
    {
        (int length, int hidden) = ((int)like.shape[1], (int)like.shape[2]);
        double[] values = new double[harmful.Count * length * hidden];
        int first = 0;
        for (int i = 0; i < harmful.Count; i++)
        {
            int count = harmful[i].Ids.Length * hidden;
            packed.AsSpan(first, count).CopyTo(values.AsSpan(i * length * hidden));
            first += count;
        }
        return tensor(values, [harmful.Count, length, hidden]).to(like.dtype);
    }
}
