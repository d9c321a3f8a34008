using System.Security.Cryptography;
using System.Text;
using NativeVaccine.Models;
using NativeVaccine.Numerics;

namespace NativeVaccine.Cli.Bench;

/// <summary>
/// Weights of a model that nobody has to download: norms multiply by 1, the rest is normal with deviation 0.02, as models are initialised.
/// Numbers come from one pool, from a place that the name decides: drawing each of seven billion would take longer than what is measured.
/// </summary>
/// <param name="hasNormOffset">Whether norms multiply by 1 + w, so that w is 0.</param>
internal sealed class RandomWeights(bool hasNormOffset = false) : IWeightSource
{
    private const uint Purpose = 100; // far from those of a run
    private const float Deviation = 0.02f;

    /// <summary>A prime: rows of a matrix, whose length is none, do not repeat.</summary>
    private const int PoolSize = 1048583;
    private readonly float[] pool = Draw();

    /// <inheritdoc/>
    public void ReadFloat32(string name, Span<float> destination, long firstElement = 0)
    {
        if (name.EndsWith("norm.weight", StringComparison.Ordinal))
        {
            destination.Fill(hasNormOffset ? 0 : 1);
            return;
        }
        ulong start = BitConverter.ToUInt64(SHA256.HashData(Encoding.UTF8.GetBytes(name))) % PoolSize;
        int place = (int)((start + (ulong)firstElement) % PoolSize);
        while (!destination.IsEmpty)
        {
            ReadOnlySpan<float> piece = pool.AsSpan(place, Math.Min(pool.Length - place, destination.Length));
            piece.CopyTo(destination);
            destination = destination[piece.Length..];
            place = 0;
        }
    }

    private static float[] Draw()
    {
        var random = new PhiloxStream(seed: 0, Purpose, step: 0);
        float[] values = new float[PoolSize];
        for (int i = 0; i < values.Length; i++)
        {
            // Box and Muller; 1 - u is never 0.
            double radius = Math.Sqrt(-2 * Math.Log(1 - random.NextDouble()));
            values[i] = Deviation * (float)(radius * Math.Cos(2 * Math.PI * random.NextDouble()));
        }
        return values;
    }
}
