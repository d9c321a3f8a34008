using NativeVaccine.Models;
using NativeVaccine.Numerics;
using NativeVaccine.TorchReference;

namespace NativeVaccine.Tests.Engine.TorchComparison;

/// <summary>
/// The masks that the engine draws, computed a second time from their definition: element i of an adapter's input (T, in) is dropped where
/// the upper 24 bits of Philox word i, as a fraction, are below the probability.
/// </summary>
internal static class DropoutMasks
{
    private const uint DropoutUse = 1;
    private const float UpperBits = 1 << 24;

    /// <summary>0 or 1 / (1 - p) for each element, by module path as <c>layers.0.self_attn.q_proj</c>.</summary>
    public static Dictionary<string, double[]> Of(ComparisonCase its, int tokens, ulong seed, uint step, uint pass)
    {
        var masks = new Dictionary<string, double[]>(StringComparer.Ordinal);
        for (int layer = 0; layer < its.Model.LayerCount; layer++)
        {
            foreach (string target in its.Targets)
            {
                Assert.True(Projections.TryParse(target, out Projection projection));
                uint purpose = (DropoutUse << 28) | (pass << 24) | ((uint)layer << 8) | (uint)projection;
                int elements = tokens * its.Model.ProjectionShape(target).Input;
                masks.Add($"layers.{layer}.{ReferenceConfiguration.ModulePath(target)}", Mask(elements, its.Dropout, seed, step, purpose));
            }
        }
        return masks;
    }

    private static double[] Mask(int elements, float probability, ulong seed, uint step, uint purpose)
    {
        var key = new Philox.Key((uint)seed, (uint)(seed >> 32));
        double[] mask = new double[elements];
        for (int i = 0; i < elements; i++)
        {
            Philox.Words words = Philox.Block(new Philox.Words((uint)(i / 4), 0, step, purpose), key);
            uint word = (i % 4) switch { 0 => words.X, 1 => words.Y, 2 => words.Z, _ => words.W };
            mask[i] = (word >> 8) / UpperBits < probability ? 0 : 1 / (1 - (double)probability);
        }
        return mask;
    }
}
