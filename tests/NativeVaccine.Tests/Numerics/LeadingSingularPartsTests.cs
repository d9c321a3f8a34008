using NativeVaccine.Numerics;

namespace NativeVaccine.Tests.Numerics;

/// <summary>Matrices made of known singular parts.</summary>
public sealed class LeadingSingularPartsTests
{
    [Theory]
    [InlineData(1, 1, 1)]
    [InlineData(7, 7, 7)]
    [InlineData(40, 9, 4)]
    [InlineData(9, 40, 9)]
    [InlineData(200, 150, 5)]
    [InlineData(150, 200, 5)]
    public void They_are_those_that_the_matrix_was_made_of(int rows, int columns, int count)
    {
        int all = Math.Min(rows, columns);
        double[] values = [.. Enumerable.Range(0, all).Select(static k => 5.0 / (1 + k))];
        double[][] left = Orthonormal(rows, all, seed: 1), right = Orthonormal(columns, all, seed: 2);
        var parts = LeadingSingularParts.Of(Matrix(values, left, right), rows, columns, count);
        for (int k = 0; k < count; k++)
        {
            Assert.Equal(values[k], parts.Values[k], 1e-6);
            double sign = Math.Sign(Doubles.Dot(left[k], parts.Left[k]));
            for (int i = 0; i < rows; i++) Assert.Equal(sign * left[k][i], parts.Left[k][i], 1e-5);
            for (int i = 0; i < columns; i++) Assert.Equal(sign * right[k][i], parts.Right[k][i], 1e-5);
        }
    }

    [Fact]
    public void Equal_values_and_values_of_zero_are_found_as_often_as_they_are_there()
    {
        double[] values = [3, 3, 3, 2, 0, 0];
        double[][] left = Orthonormal(30, 6, seed: 3), right = Orthonormal(20, 6, seed: 4);
        float[] matrix = Matrix(values, left, right);
        var parts = LeadingSingularParts.Of(matrix, 30, 20, 4);
        Assert.Equal([3.0, 3, 3, 2], parts.Values.Select(static value => Math.Round(value, 6)));
        AssertSame(matrix, Matrix(parts.Values, parts.Left, parts.Right), 1e-6);
        Assert.All(LeadingSingularParts.Of(new float[30], 5, 6, 2).Values, static value => Assert.Equal(0, value));
        float[] identity = Matrix([1, 1, 1, 1, 1], Orthonormal(5, 5, seed: 5), Orthonormal(5, 5, seed: 5));
        Assert.All(LeadingSingularParts.Of(identity, 5, 5, 3).Values, static value => Assert.Equal(1, value, 1e-6));
    }

    [Fact]
    public void What_is_left_has_no_such_part_any_more()
    {
        var random = new Random(6);
        float[] matrix = [.. Enumerable.Range(0, 300 * 260).Select(_ => (float)(random.NextDouble() - 0.5))];
        const int count = 8;
        var all = LeadingSingularParts.Of(matrix, 300, 260, count + 1);
        float[] lead = Matrix(all.Values[..count], all.Left[..count], all.Right[..count]);
        float[] rest = [.. matrix.Zip(lead, static (whole, part) => whole - part)];
        Assert.Equal(all.Values[count], LeadingSingularParts.Of(rest, 300, 260, 1).Values[0], 1e-6);
    }

    private static float[] Matrix(double[] values, double[][] left, double[][] right)
    {
        (int rows, int columns) = (left[0].Length, right[0].Length);
        float[] matrix = new float[rows * columns];
        for (int i = 0; i < matrix.Length; i++)
        {
            double sum = 0;
            for (int k = 0; k < values.Length; k++) sum += values[k] * left[k][i / columns] * right[k][i % columns];
            matrix[i] = (float)sum;
        }
        return matrix;
    }

    /// <summary>By Gram and Schmidt, twice.</summary>
    private static double[][] Orthonormal(int length, int count, int seed)
    {
        var random = new Random(seed);
        double[][] vectors = new double[count][];
        for (int k = 0; k < count; k++)
        {
            double[] vector = [.. Enumerable.Range(0, length).Select(_ => random.NextDouble() - 0.5)];
            for (int pass = 0; pass < 2; pass++)
            {
                for (int other = 0; other < k; other++) Doubles.Add(vector, -Doubles.Dot(vector, vectors[other]), vectors[other]);
            }
            vectors[k] = Doubles.Scaled(vector, 1 / Math.Sqrt(Doubles.Dot(vector, vector)));
        }
        return vectors;
    }

    private static void AssertSame(float[] expected, float[] actual, double tolerance)
    {
        for (int i = 0; i < expected.Length; i++) Assert.Equal(expected[i], actual[i], tolerance);
    }
}
