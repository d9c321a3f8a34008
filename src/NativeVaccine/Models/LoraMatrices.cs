using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace NativeVaccine.Models;

/// <summary>The two matrices that LoRA adds to one weight W: W + scale * B A.</summary>
public sealed class LoraMatrices
{
    /// <summary>Rows of W that are summed at once.</summary>
    internal const int RowsAtATime = 4;

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
            if (column == 0 && weights.Length / Inputs >= RowsAtATime)
            {
                count = RowsAtATime * Inputs;
                AddToRows(weights[..count], scale, (int)row);
            }
            else
            {
                AddToRow(weights[..count], scale, (int)row, (int)column);
            }
            weights = weights[count..];
            firstElement += count;
        }
    }

    /// <summary>
    /// Whole rows, <see cref="RowsAtATime"/> of them: what is read of A serves them all. Each element's sum goes over k in order, by fused
    /// operations, as in <see cref="AddToRow"/>.
    /// </summary>
    private void AddToRows(Span<float> weights, float scale, int row)
    {
        int lanes = Vector<float>.Count;
        ref float w0 = ref MemoryMarshal.GetReference(weights);
        ref float w1 = ref Unsafe.Add(ref w0, Inputs);
        ref float w2 = ref Unsafe.Add(ref w1, Inputs);
        ref float w3 = ref Unsafe.Add(ref w2, Inputs);
        ref float b = ref MemoryMarshal.GetReference(B.AsSpan(row * Rank, RowsAtATime * Rank));
        int column = 0;
        for (; column + (2 * lanes) <= Inputs; column += 2 * lanes)
        {
            Vector<float> sum00 = default, sum01 = default, sum10 = default, sum11 = default;
            Vector<float> sum20 = default, sum21 = default, sum30 = default, sum31 = default;
            ref float a = ref A[column];
            for (int k = 0; k < Rank; k++)
            {
                Vector<float> a0 = Vector.LoadUnsafe(ref a), a1 = Vector.LoadUnsafe(ref a, (nuint)lanes);
                var factor = new Vector<float>(Unsafe.Add(ref b, k));
                sum00 = Vector.FusedMultiplyAdd(factor, a0, sum00);
                sum01 = Vector.FusedMultiplyAdd(factor, a1, sum01);
                factor = new Vector<float>(Unsafe.Add(ref b, k + Rank));
                sum10 = Vector.FusedMultiplyAdd(factor, a0, sum10);
                sum11 = Vector.FusedMultiplyAdd(factor, a1, sum11);
                factor = new Vector<float>(Unsafe.Add(ref b, k + (2 * Rank)));
                sum20 = Vector.FusedMultiplyAdd(factor, a0, sum20);
                sum21 = Vector.FusedMultiplyAdd(factor, a1, sum21);
                factor = new Vector<float>(Unsafe.Add(ref b, k + (3 * Rank)));
                sum30 = Vector.FusedMultiplyAdd(factor, a0, sum30);
                sum31 = Vector.FusedMultiplyAdd(factor, a1, sum31);
                a = ref Unsafe.Add(ref a, Inputs);
            }
            Add(ref Unsafe.Add(ref w0, column), scale, sum00, sum01);
            Add(ref Unsafe.Add(ref w1, column), scale, sum10, sum11);
            Add(ref Unsafe.Add(ref w2, column), scale, sum20, sum21);
            Add(ref Unsafe.Add(ref w3, column), scale, sum30, sum31);
        }
        for (int r = 0; r < RowsAtATime; r++) AddToRow(weights.Slice((r * Inputs) + column, Inputs - column), scale, row + r, column);
    }

    private static void Add(ref float weights, float scale, Vector<float> sum0, Vector<float> sum1)
    {
        var scales = new Vector<float>(scale);
        nuint next = (nuint)Vector<float>.Count;
        Vector.FusedMultiplyAdd(scales, sum0, Vector.LoadUnsafe(ref weights)).StoreUnsafe(ref weights);
        Vector.FusedMultiplyAdd(scales, sum1, Vector.LoadUnsafe(ref weights, next)).StoreUnsafe(ref weights, next);
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
