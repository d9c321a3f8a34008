namespace NativeVaccine.Tests.TorchReference;

/// <summary>Comparisons that NaN fails.</summary>
internal static class Near
{
    /// <summary>Every element within <c>absolute + relative * |expected|</c>.</summary>
    public static void Equal(string what, ReadOnlySpan<float> expected, ReadOnlySpan<double> actual, double absolute, double relative)
    {
        Assert.True(expected.Length == actual.Length, $"{what}: {actual.Length} values, expected {expected.Length}");
        for (int i = 0; i < expected.Length; i++)
            Equal($"{what}[{i}]", expected[i], actual[i], absolute, relative);
    }

    /// <summary>Every element within a share of the largest expected one: the fixtures' rule for gradients.</summary>
    public static void EqualToLargest(string what, ReadOnlySpan<float> expected, ReadOnlySpan<double> actual, double share)
    {
        double largest = 0;
        foreach (float value in expected)
            largest = Math.Max(largest, Math.Abs(value));
        Equal(what, expected, actual, share * largest, 0);
    }

    public static void Equal(string what, double expected, double actual, double absolute, double relative)
    {
        double difference = Math.Abs(expected - actual);
        bool near = difference <= absolute + (relative * Math.Abs(expected));
        Assert.True(near, FormattableString.Invariant($"{what}: {actual:R}, expected {expected:R} (difference {difference:G3})"));
    }
}
