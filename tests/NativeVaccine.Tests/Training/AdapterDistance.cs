using NativeVaccine.Models;

namespace NativeVaccine.Tests.Training;

/// <summary>How far the tensors of two adapters of one form are from each other.</summary>
internal static class AdapterDistance
{
    /// <summary>Of each tensor the norm of the difference over the norm of the expected one: 0 where both are the same.</summary>
    public static IReadOnlyList<(string Name, double Distance)> OfTensors(Adapter expected, Adapter actual)
    {
        (UniformLora form, UniformLora found) = (expected.RequireUniform("expected"), actual.RequireUniform("actual"));
        Assert.Equal((form.Rank, form.Alpha), (found.Rank, found.Alpha));
        Assert.Equal(form.Targets, found.Targets);
        var distances = new List<(string, double)>();
        for (int layer = 0; layer < expected.LayerCount; layer++)
        {
            foreach (Projection target in form.Targets)
            {
                distances.Add(($"layer {layer} {target} A", Of(expected[layer, target].A, actual[layer, target].A)));
                distances.Add(($"layer {layer} {target} B", Of(expected[layer, target].B, actual[layer, target].B)));
            }
        }
        return distances;
    }

    private static double Of(float[] expected, float[] actual)
    {
        double difference = Math.Sqrt(expected.Zip(actual, static (a, b) => Math.Pow((double)a - b, 2)).Sum());
        return difference == 0 ? 0 : difference / Math.Sqrt(expected.Sum(static value => (double)value * value));
    }
}
