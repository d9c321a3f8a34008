using System.IO.Hashing;
using System.Runtime.InteropServices;
using System.Text;
using NativeVaccine.Models;

namespace NativeVaccine.Training;

/// <summary>Hashes weights while they are read, so that nobody reads gigabytes a second time to know whether they are the same.</summary>
public sealed class HashedWeights(IWeightSource weights) : IWeightSource
{
    private readonly SortedDictionary<string, Tensor> tensors = new(StringComparer.Ordinal);

    /// <inheritdoc/>
    /// <exception cref="InvalidOperationException">A tensor is not read from its first element on.</exception>
    public void ReadFloat32(string name, Span<float> destination, long firstElement = 0)
    {
        weights.ReadFloat32(name, destination, firstElement);
        Tensor? tensor;
        lock (tensors)
        {
            if (!tensors.TryGetValue(name, out tensor)) tensors.Add(name, tensor = new Tensor());
        }
        if (firstElement < tensor.Elements) return; // read again
        if (firstElement > tensor.Elements) throw new InvalidOperationException($"{name} is read from element {firstElement}");
        tensor.Hash.Append(MemoryMarshal.AsBytes(destination));
        tensor.Elements += destination.Length;
    }

    /// <summary>32 hexadecimal digits of XxHash128 over the values of all tensors that were read, however they are stored.</summary>
    public string Hash()
    {
        var all = new XxHash128();
        foreach ((string name, Tensor tensor) in tensors)
        {
            all.Append(Encoding.UTF8.GetBytes(name));
            all.Append(tensor.Hash.GetCurrentHash());
        }
        return Convert.ToHexStringLower(all.GetCurrentHash());
    }

    private sealed class Tensor
    {
        public XxHash128 Hash { get; } = new();

        public long Elements { get; set; }
    }
}
