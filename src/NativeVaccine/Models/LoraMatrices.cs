using System.Numerics;

namespace NativeVaccine.Models;

/// <summary>The two matrices that LoRA adds to one weight W: W + scale * B A.</summary>
public sealed class LoraMatrices
{
    private const int BlockSize = 512;

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

    private void AddToRow(Span<float> weights, float scale, int row, int column)
    {
        Span<float> block = stackalloc float[BlockSize];
        for (int start = 0; start < weights.Length; start += BlockSize)
        {
            Span<float> sum = block[..Math.Min(BlockSize, weights.Length - start)];
            sum.Clear();
            for (int k = 0; k < Rank; k++) AddScaled(sum, B[(row * Rank) + k], A.AsSpan((k * Inputs) + column + start, sum.Length));
            AddScaled(weights.Slice(start, sum.Length), scale, sum);
        }
    }

    /// <summary>target += factor * source, each element by one fused operation.</summary>
    private static void AddScaled(Span<float> target, float factor, ReadOnlySpan<float> source)
    {
        int lanes = Vector<float>.Count;
        var factors = new Vector<float>(factor);
        int i = 0;
        for (; i + lanes <= target.Length; i += lanes)
            Vector.FusedMultiplyAdd(factors, new Vector<float>(source[i..]), new Vector<float>(target[i..])).CopyTo(target[i..]);
        for (; i < target.Length; i++) target[i] = MathF.FusedMultiplyAdd(factor, source[i], target[i]);
    }
}
