using System.Numerics;

namespace NativeVaccine.Numerics;

/// <summary>
/// The largest singular values of a matrix with their vectors, by Golub-Kahan-Lanczos bidiagonalization with full reorthogonalization
/// (Golub and Kahan 1965; Golub and Van Loan, Matrix Computations, 10.4.4), in double. It goes on until the residuals are far below what
/// an SVD in fp32 leaves, at the latest until the whole matrix is decomposed. The result depends on the matrix alone.
/// </summary>
internal sealed class LeadingSingularParts
{
    /// <summary>The largest residual, as a part of the largest singular value; the rounding of fp32 is 6e-8.</summary>
    private const double Tolerance = 1e-9;

    private readonly StoredMatrix matrix;
    private readonly PhiloxStream random = new(0, RandomPurpose.SingularVectors, 0);
    private readonly List<double[]> left = [];
    private readonly List<double[]> right = [];
    private readonly List<double> diagonal = [];
    private readonly List<double> above = [];  // above[k]: row k, column k + 1
    private double[] next = [];

    private LeadingSingularParts(StoredMatrix matrix) => this.matrix = matrix;

    /// <summary>Singular values, the largest first.</summary>
    public double[] Values { get; private set; } = [];

    /// <summary>For each value its left vector, as long as a column.</summary>
    public double[][] Left { get; private set; } = [];

    /// <summary>For each value its right vector, as long as a row.</summary>
    public double[][] Right { get; private set; } = [];

    /// <param name="values">(rows, columns), row-major.</param>
    /// <param name="rows">Rows.</param>
    /// <param name="columns">Columns.</param>
    /// <param name="count">How many, at most the smaller of both.</param>
    public static LeadingSingularParts Of(float[] values, int rows, int columns, int count)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, Math.Min(rows, columns));
        // The recurrence ends with the right vectors, so these have to be the shorter ones.
        var parts = new LeadingSingularParts(new StoredMatrix(values, rows, columns, isTransposed: rows < columns));
        parts.Find(count);
        if (rows < columns) (parts.Left, parts.Right) = (parts.Right, parts.Left);
        return parts;
    }

    private void Find(int count)
    {
        int all = matrix.Columns;
        right.Add(Unit(all, right));
        int check = Math.Min(all, count + 16);
        while (true)
        {
            double beta = Step();
            if (right.Count < check && right.Count < all)
            {
                right.Add(Next(beta));
                continue;
            }
            var small = new BidiagonalParts(diagonal, above);
            bool isWhole = right.Count == all;
            double residual = Enumerable.Range(0, count).Max(part => Math.Abs(beta * small.Left(part)[^1]));
            if (isWhole || residual <= Tolerance * small.Values[0])
            {
                Values = small.Values[..count];
                Left = [.. Enumerable.Range(0, count).Select(part => Combine(left, small.Left(part)))];
                Right = [.. Enumerable.Range(0, count).Select(part => Combine(right, small.Right(part)))];
                return;
            }
            check = Math.Min(all, right.Count + Math.Max(16, right.Count / 3));
            right.Add(Next(beta));
        }
    }

    /// <summary>One more row of the bidiagonal matrix.</summary>
    /// <returns>The length of what would be the next right vector.</returns>
    private double Step()
    {
        double[] u = matrix.Times(right[^1]);
        double alpha = Orthogonalize(u, left);
        left.Add(alpha > matrix.Negligible ? Doubles.Scaled(u, 1 / alpha) : Unit(matrix.Rows, left));
        diagonal.Add(alpha > matrix.Negligible ? alpha : 0);
        next = matrix.TransposedTimes(left[^1]);
        return Orthogonalize(next, right);
    }

    /// <summary>The next right vector; any other one where the ones so far are complete in themselves.</summary>
    private double[] Next(double beta)
    {
        above.Add(beta > matrix.Negligible ? beta : 0);
        return beta > matrix.Negligible ? Doubles.Scaled(next, 1 / beta) : Unit(matrix.Columns, right);
    }

    private double[] Unit(int length, List<double[]> others)
    {
        double[] vector = new double[length];
        for (int i = 0; i < length; i++) vector[i] = random.NextDouble() - 0.5;
        return Doubles.Scaled(vector, 1 / Orthogonalize(vector, others));
    }

    /// <summary>Takes the parts along the others away; twice is enough (Kahan).</summary>
    /// <returns>The length of what is left.</returns>
    private static double Orthogonalize(double[] vector, List<double[]> others)
    {
        for (int pass = 0; pass < 2; pass++)
        {
            double[] along = new double[others.Count];
            Parallel.For(0, others.Count, other => along[other] = Doubles.Dot(others[other], vector));
            for (int other = 0; other < others.Count; other++) Doubles.Add(vector, -along[other], others[other]);
        }
        return Math.Sqrt(Doubles.Dot(vector, vector));
    }

    private static double[] Combine(List<double[]> vectors, double[] weights)
    {
        double[] sum = new double[vectors[0].Length];
        for (int k = 0; k < weights.Length; k++) Doubles.Add(sum, weights[k], vectors[k]);
        return sum;
    }

    /// <summary>A matrix of floats as it is stored, or its transpose.</summary>
    private sealed class StoredMatrix(float[] values, int rows, int columns, bool isTransposed)
    {
        private const int Block = 256;

        public int Rows => isTransposed ? columns : rows;

        public int Columns => isTransposed ? rows : columns;

        /// <summary>Lengths below this are rounding.</summary>
        public double Negligible { get; } = 1e-14 * Norm(values);

        public double[] Times(double[] vector) => isTransposed ? StoredTransposedTimes(vector) : StoredTimes(vector);

        public double[] TransposedTimes(double[] vector) => isTransposed ? StoredTimes(vector) : StoredTransposedTimes(vector);

        private static double Norm(float[] values)
        {
            double sum = 0;
            foreach (float value in values) sum += (double)value * value;
            return Math.Sqrt(sum);
        }

        private double[] StoredTimes(double[] vector)
        {
            double[] result = new double[rows];
            Parallel.For(0, rows, row => result[row] = Dot(values.AsSpan(row * columns, columns), vector));
            return result;
        }

        /// <summary>By blocks of columns, so that each element's sum has one order whatever the number of threads.</summary>
        private double[] StoredTransposedTimes(double[] vector)
        {
            double[] result = new double[columns];
            Parallel.For(0, (columns + Block - 1) / Block, block =>
            {
                int start = block * Block, length = Math.Min(Block, columns - start);
                Span<double> sums = result.AsSpan(start, length);
                for (int row = 0; row < rows; row++) AddScaled(sums, vector[row], values.AsSpan((row * columns) + start, length));
            });
            return result;
        }

        private static double Dot(ReadOnlySpan<float> a, ReadOnlySpan<double> b)
        {
            var sums = Vector<double>.Zero;
            int i = 0;
            for (; i + Vector<float>.Count <= a.Length; i += Vector<float>.Count)
            {
                Vector.Widen(new Vector<float>(a[i..]), out Vector<double> lower, out Vector<double> upper);
                sums += (lower * new Vector<double>(b[i..])) + (upper * new Vector<double>(b[(i + Vector<double>.Count)..]));
            }
            double sum = Vector.Sum(sums);
            for (; i < a.Length; i++) sum += a[i] * b[i];
            return sum;
        }

        private static void AddScaled(Span<double> target, double factor, ReadOnlySpan<float> source)
        {
            int i = 0;
            for (; i + Vector<float>.Count <= source.Length; i += Vector<float>.Count)
            {
                Vector.Widen(new Vector<float>(source[i..]), out Vector<double> lower, out Vector<double> upper);
                (new Vector<double>(target[i..]) + (factor * lower)).CopyTo(target[i..]);
                Span<double> second = target[(i + Vector<double>.Count)..];
                (new Vector<double>(second) + (factor * upper)).CopyTo(second);
            }
            for (; i < source.Length; i++) target[i] += factor * source[i];
        }
    }
}
