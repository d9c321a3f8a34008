using System.Numerics;

namespace NativeVaccine.Numerics;

/// <summary>Arithmetic on vectors of doubles of equal length.</summary>
internal static class Doubles
{
    /// <summary>The sum of the products.</summary>
    public static double Dot(double[] a, double[] b)
    {
        var sums = Vector<double>.Zero;
        int i = 0;
        for (; i + Vector<double>.Count <= a.Length; i += Vector<double>.Count) sums += new Vector<double>(a, i) * new Vector<double>(b, i);
        double sum = Vector.Sum(sums);
        for (; i < a.Length; i++) sum += a[i] * b[i];
        return sum;
    }

    /// <summary>target += factor * source.</summary>
    public static void Add(double[] target, double factor, double[] source)
    {
        int i = 0;
        for (; i + Vector<double>.Count <= target.Length; i += Vector<double>.Count)
            (new Vector<double>(target, i) + (factor * new Vector<double>(source, i))).CopyTo(target, i);
        for (; i < target.Length; i++) target[i] += factor * source[i];
    }

    /// <summary>factor * vector.</summary>
    public static double[] Scaled(double[] vector, double factor)
    {
        double[] scaled = new double[vector.Length];
        Add(scaled, factor, vector);
        return scaled;
    }
}
