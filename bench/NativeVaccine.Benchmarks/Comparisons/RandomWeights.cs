using System.Security.Cryptography;
using System.Text;
using NativeVaccine.Models;
using NativeVaccine.Numerics;
using NativeVaccine.TorchReference;

namespace NativeVaccine.Benchmarks.Comparisons;

/// <summary>
/// Weights that need no memory: each number is drawn from its name and place when it is asked for, so both sides of a comparison get the
/// same. Uniform with deviation <see cref="Deviation"/>, the weights of norms around 1.
/// </summary>
internal sealed class RandomWeights : IWeightSource
{
    private const double Deviation = 0.05;
    private const int WordsInBlock = 4;

    /// <inheritdoc/>
    public void ReadFloat32(string name, Span<float> destination, long firstElement = 0)
    {
        float centre = name.EndsWith("norm.weight", StringComparison.Ordinal) ? 1 : 0;
        ulong hash = BitConverter.ToUInt64(SHA256.HashData(Encoding.UTF8.GetBytes(name)));
        var key = new Philox.Key((uint)hash, (uint)(hash >> 32));
        Philox.Words block = default;
        for (int i = 0; i < destination.Length; i++)
        {
            (long number, long word) = Math.DivRem(firstElement + i, WordsInBlock);
            if (i == 0 || word == 0) block = Philox.Block(new Philox.Words((uint)number, (uint)(number >> 32), 0, 0), key);
            uint bits = word switch { 0 => block.X, 1 => block.Y, 2 => block.Z, _ => block.W };
            destination[i] = centre + (float)(((bits / (double)uint.MaxValue) - 0.5) * Math.Sqrt(12) * Deviation);
        }
    }

    /// <summary>A whole tensor as the reference takes it.</summary>
    public ReferenceTensor Tensor(string name, int[] shape)
    {
        float[] values = new float[shape.Aggregate(1, static (product, size) => checked(product * size))];
        ReadFloat32(name, values);
        return new ReferenceTensor(shape, values);
    }
}
