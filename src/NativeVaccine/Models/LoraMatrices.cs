using System.Numerics;

namespace NativeVaccine.Models;

/// <summary>The two matrices that LoRA adds to one weight W: W + scale * B A.</summary>
public sealed class LoraMatrices
{
    /// <summary>Matrices of zeros.</summary>
    public LoraMatrices(int rank, int outputs, int inputs)
    {
        (Rank, Outputs, Inputs) = (rank, outputs, inputs);
        A = new float[checked(rank * inputs)];
        B = new float[checked(outputs * rank)];
    }

    /// <summary>r.</summary>
    public int Rank { get; }

    /// <summary>Rows of W.</summary>
    public int Outputs { get; }

    /// <summary>Columns of W.</summary>
    public int Inputs { get; }

    /// <summary>(r, inputs), row-major.</summary>
    public float[] A { get; }

    /// <summary>(outputs, r), row-major.</summary>
    public float[] B { get; }

    /// <summary>
    /// Adds scale * B A to a run of W's elements. The sum over r is in fp32 in a fixed order, so that the result does not depend on how
    /// W is cut into runs.
    /// </summary>
    /// <param name="weights">Elements of W (outputs, inputs), row-major, from <paramref name="firstElement"/> on.</param>
    /// <param name="scale">alpha / r.</param>
    /// <param name="firstElement">Index in W of the first of <paramref name="weights"/>.</param>
    public void AddTo(Span<float> weights, float scale, long firstElement = 0)
    {
        while (!weights.IsEmpty)
        {
            (long row, long column) = Math.DivRem(firstElement, Inputs);
            int count = (int)Math.Min(Inputs - column, weights.Length);
            AddToRow(weights[..count], scale, (int)row, (int)column);
            weights = weights[count..];
            firstElement += count;
        }
    }

    /// <summary>Sums in registers, many elements at a time; each element's sum goes over k in order, by fused operations.</summary>
    private void AddToRow(Span<float> weights, float scale, int row, int column)
    {
        ReadOnlySpan<float> b = B.AsSpan(row * Rank, Rank);
        var scales = new Vector<float>(scale);
        int lanes = Vector<float>.Count;
        int i = 0;
        for (; i + (4 * lanes) <= weights.Length; i += 4 * lanes)
        {
            Vector<float> sum0 = default, sum1 = default, sum2 = default, sum3 = default;
            for (int k = 0; k < b.Length; k++)
            {
                ReadOnlySpan<float> a = A.AsSpan((k * Inputs) + column + i, 4 * lanes);
                var factor = new Vector<float>(b[k]);
                sum0 = Vector.FusedMultiplyAdd(factor, new Vector<float>(a), sum0);
                sum1 = Vector.FusedMultiplyAdd(factor, new Vector<float>(a[lanes..]), sum1);
                sum2 = Vector.FusedMultiplyAdd(factor, new Vector<float>(a[(2 * lanes)..]), sum2);
                sum3 = Vector.FusedMultiplyAdd(factor, new Vector<float>(a[(3 * lanes)..]), sum3);
            }
            Span<float> w = weights.Slice(i, 4 * lanes);
            Vector.FusedMultiplyAdd(scales, sum0, new Vector<float>(w)).CopyTo(w);
            Vector.FusedMultiplyAdd(scales, sum1, new Vector<float>(w[lanes..])).CopyTo(w[lanes..]);
            Vector.FusedMultiplyAdd(scales, sum2, new Vector<float>(w[(2 * lanes)..])).CopyTo(w[(2 * lanes)..]);
            Vector.FusedMultiplyAdd(scales, sum3, new Vector<float>(w[(3 * lanes)..])).CopyTo(w[(3 * lanes)..]);
        }
        for (; i < weights.Length; i++)
        {
            float sum = 0;
            for (int k = 0; k < b.Length; k++) sum = MathF.FusedMultiplyAdd(b[k], A[(k * Inputs) + column + i], sum);
            weights[i] = MathF.FusedMultiplyAdd(scale, sum, weights[i]);
        }
    }
}
