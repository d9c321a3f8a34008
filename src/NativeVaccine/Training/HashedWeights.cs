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
        if (TensorToGoOnWith(name, firstElement) is { } tensor) tensor.Append(destination);
    }

    /// <inheritdoc/>
    /// <exception cref="InvalidOperationException">A tensor is not read from its first element on.</exception>
    public bool TryReadBFloat16(string name, Span<ushort> destination, long firstElement = 0)
    {
        if (!weights.TryReadBFloat16(name, destination, firstElement)) return false;
        if (TensorToGoOnWith(name, firstElement) is not { } tensor) return true;
        const int block = 1 << 12;  // stays in the first cache
        Span<float> values = stackalloc float[block];
        for (int first = 0; first < destination.Length; first += block)
        {
            ReadOnlySpan<ushort> stored = destination.Slice(first, Math.Min(block, destination.Length - first));
            ElementConversion.ToFloat32(ElementType.BFloat16, MemoryMarshal.AsBytes(stored), values[..stored.Length]);
            tensor.Append(values[..stored.Length]);
        }
        return true;
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

    /// <summary>The tensor that a piece belongs to; null where the piece is read again.</summary>
    private Tensor? TensorToGoOnWith(string name, long firstElement)
    {
        Tensor? tensor;
        lock (tensors)
        {
            if (!tensors.TryGetValue(name, out tensor)) tensors.Add(name, tensor = new Tensor());
        }
        if (firstElement > tensor.Elements) throw new InvalidOperationException($"{name} is read from element {firstElement}");
        return firstElement < tensor.Elements ? null : tensor;
    }

    private sealed class Tensor
    {
        public XxHash128 Hash { get; } = new();

        public long Elements { get; private set; }

        public void Append(ReadOnlySpan<float> values)
        {
            Hash.Append(MemoryMarshal.AsBytes(values));
            Elements += values.Length;
        }
    }
}
