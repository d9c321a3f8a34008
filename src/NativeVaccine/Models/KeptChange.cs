using System.Numerics;

namespace NativeVaccine.Models;

/// <summary>
/// How much of an adapter's change is left in weights that were rounded after it was added. With D = round(W + C) - round(W), what became
/// of the change C, the share is (D . C) / (C . C): 1 if all of it is left, 0 if none. W has what the other adapters changed.
/// </summary>
/// <remarks>
/// Neither the norm of D nor that of D - C says as much. Where C lies below the spacing of bf16, few elements of W move, but those by a
/// whole step, so the norms of D and C are close; and where W itself was rounded in the same step, D - C is as long as C though nothing is
/// lost on average. Seen on a model of 3.2B parameters in bf16: |D - C| / |C| = 0.82 in a projection whose share is a half, and merging
/// had taken half of what the adapter did to the loss.
/// </remarks>
public sealed class KeptChange
{
    /// <summary>Below this share a warning is due.</summary>
    public const double Enough = 0.9;

    /// <summary>Elements whose squares are summed in fp32.</summary>
    private const int BlockSize = 1 << 11;

    private readonly Dictionary<string, (double Along, double Meant)> sums = new(StringComparer.Ordinal);

    internal KeptChange(string adapter, ElementType type) => (Adapter, Type) = (adapter, type);

    /// <summary>The folder of the adapter, or which one of several it is.</summary>
    public string Adapter { get; }

    /// <summary>What the weights were rounded to.</summary>
    public ElementType Type { get; }

    /// <summary>The share of the whole change; 1 where there is none.</summary>
    public double Share => Ratio(sums.Values.Sum(static sum => sum.Along), sums.Values.Sum(static sum => sum.Meant));

    /// <summary>The weight that kept least, with its share; null where nothing changes.</summary>
    public (string Weight, double Share)? Worst => sums
        .Where(static sum => sum.Value.Meant > 0)
        .Select(static sum => ((string Weight, double Share)?)(sum.Key, Ratio(sum.Value.Along, sum.Value.Meant)))
        .MinBy(static weight => weight!.Value.Share);

    /// <summary>A line for a person; null where nothing changes.</summary>
    /// <param name="wayOut">What keeps all of it, for a warning.</param>
    public string? Describe(string wayOut)
    {
        if (Worst is not { } worst) return null;
        string type = Type == ElementType.BFloat16 ? "bf16" : "fp16";
        string line = FormattableString.Invariant(
            $"{Adapter}: {Share:P0} of its change is left after rounding to {type} (least in {worst.Weight}: {worst.Share:P0})");
        return Share < Enough ? $"warning: {line}; the rest is too small for {type}; {wayOut}" : line;
    }

    /// <summary>Takes in some elements of a weight.</summary>
    /// <param name="weight">Its name.</param>
    /// <param name="before">W without this adapter and those after it.</param>
    /// <param name="after">The same with this adapter: C is the difference.</param>
    /// <param name="all">W with all adapters, which is what is rounded.</param>
    internal void Add(string weight, ReadOnlySpan<float> before, ReadOnlySpan<float> after, ReadOnlySpan<float> all)
    {
        double along = 0, meant = 0;
        for (int start = 0; start < all.Length; start += BlockSize)
        {
            Range block = start..Math.Min(all.Length, start + BlockSize);
            (double blockAlong, double blockMeant) = Type == ElementType.BFloat16
                ? Sums<BFloat16Rounding>(before[block], after[block], all[block])
                : Sums<Float16Rounding>(before[block], after[block], all[block]);
            (along, meant) = (along + blockAlong, meant + blockMeant);
        }
        lock (sums)
        {
            (double alongSoFar, double meantSoFar) = sums.GetValueOrDefault(weight);
            sums[weight] = (alongSoFar + along, meantSoFar + meant);
        }
    }

    private static (double Along, double Meant) Sums<TRounding>(ReadOnlySpan<float> before, ReadOnlySpan<float> after, ReadOnlySpan<float> all)
        where TRounding : struct, IRounding
    {
        Vector<float> along = default, meant = default;
        int i = 0;
        for (; i + Vector<float>.Count <= all.Length; i += Vector<float>.Count)
            Take(new Vector<float>(before[i..]), new Vector<float>(after[i..]), new Vector<float>(all[i..]));
        int rest = all.Length - i;
        if (rest > 0)
        {
            Span<float> lanes = stackalloc float[3 * Vector<float>.Count];
            lanes.Clear();  // zeros change nothing
            before[i..].CopyTo(lanes);
            after[i..].CopyTo(lanes[Vector<float>.Count..]);
            all[i..].CopyTo(lanes[(2 * Vector<float>.Count)..]);
            Take(
                new Vector<float>(lanes),
                new Vector<float>(lanes[Vector<float>.Count..]),
                new Vector<float>(lanes[(2 * Vector<float>.Count)..]));
        }
        return (Vector.Sum(along), Vector.Sum(meant));

        void Take(Vector<float> before, Vector<float> after, Vector<float> all)
        {
            Vector<float> change = after - before;
            Vector<float> moved = TRounding.Round(all) - TRounding.Round(all - change);
            along = Vector.FusedMultiplyAdd(change, moved, along);
            meant = Vector.FusedMultiplyAdd(change, change, meant);
        }
    }

    private static double Ratio(double along, double meant) => meant > 0 ? Math.Clamp(along / meant, 0, 1) : 1;

    private interface IRounding
    {
        static abstract Vector<float> Round(Vector<float> values);
    }

    private readonly struct BFloat16Rounding : IRounding
    {
        public static Vector<float> Round(Vector<float> values) => ElementConversion.RoundToBFloat16(values);
    }

    private readonly struct Float16Rounding : IRounding
    {
        public static Vector<float> Round(Vector<float> values) => ElementConversion.RoundToFloat16(values);
    }
}
