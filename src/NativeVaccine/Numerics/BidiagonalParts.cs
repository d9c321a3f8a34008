namespace NativeVaccine.Numerics;

/// <summary>All singular values of a small upper bidiagonal matrix with their vectors, by one-sided Jacobi rotations of its columns.</summary>
internal sealed class BidiagonalParts
{
    private const double Tolerance = 1e-15;
    private const int MostSweeps = 60;
    private readonly double[][] columns;  // of the matrix times the rotations: left vectors times values
    private readonly double[][] rotations;
    private readonly int[] order;

    /// <param name="diagonal">n elements.</param>
    /// <param name="above">n - 1 elements: row k, column k + 1.</param>
    public BidiagonalParts(IReadOnlyList<double> diagonal, IReadOnlyList<double> above)
    {
        int n = diagonal.Count;
        columns = new double[n][];
        rotations = new double[n][];
        for (int k = 0; k < n; k++)
        {
            (columns[k], rotations[k]) = (new double[n], new double[n]);
            columns[k][k] = diagonal[k];
            if (k > 0) columns[k][k - 1] = above[k - 1];
            rotations[k][k] = 1;
        }
        for (int sweep = 0; sweep < MostSweeps && Sweep(); sweep++) { }
        double[] lengths = [.. columns.Select(static column => Math.Sqrt(Doubles.Dot(column, column)))];
        order = [.. Enumerable.Range(0, n).OrderByDescending(k => lengths[k])];
        Values = [.. order.Select(k => lengths[k])];
    }

    /// <summary>The largest first.</summary>
    public double[] Values { get; }

    /// <summary>A left vector; of a value of 0, zeros.</summary>
    public double[] Left(int part) => [.. columns[order[part]].Select(element => Values[part] > 0 ? element / Values[part] : 0)];

    /// <summary>A right vector.</summary>
    public double[] Right(int part) => rotations[order[part]];

    private bool Sweep()
    {
        bool isChanged = false;
        for (int p = 0; p < columns.Length; p++)
        {
            for (int q = p + 1; q < columns.Length; q++) isChanged |= Rotate(p, q);
        }
        return isChanged;
    }

    private bool Rotate(int p, int q)
    {
        double a = Doubles.Dot(columns[p], columns[p]), b = Doubles.Dot(columns[q], columns[q]), c = Doubles.Dot(columns[p], columns[q]);
        if (Math.Abs(c) <= Tolerance * Math.Sqrt(a * b)) return false;
        double zeta = (b - a) / (2 * c);
        double tangent = Math.CopySign(1, zeta) / (Math.Abs(zeta) + Math.Sqrt(1 + (zeta * zeta)));
        double cosine = 1 / Math.Sqrt(1 + (tangent * tangent)), sine = cosine * tangent;
        Turn(columns[p], columns[q], cosine, sine);
        Turn(rotations[p], rotations[q], cosine, sine);
        return true;
    }

    private static void Turn(double[] x, double[] y, double cosine, double sine)
    {
        for (int i = 0; i < x.Length; i++) (x[i], y[i]) = ((cosine * x[i]) - (sine * y[i]), (sine * x[i]) + (cosine * y[i]));
    }
}
