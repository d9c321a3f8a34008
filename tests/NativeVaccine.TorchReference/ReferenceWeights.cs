using System.Buffers.Binary;
using System.Text.Json;

namespace NativeVaccine.TorchReference;

/// <summary>A tensor as plain numbers, last dimension contiguous.</summary>
/// <param name="Shape">Dimensions, outermost first.</param>
/// <param name="Values">As many values as the shape says; F16 and BF16 widen to these exactly.</param>
public sealed record ReferenceTensor(int[] Shape, float[] Values);

/// <summary>Tensors by the names of their files.</summary>
public static class ReferenceWeights
{
    /// <summary>Reads every <c>*.safetensors</c> shard named <c>model*</c> of a Hugging Face folder, by Hugging Face name.</summary>
    public static Dictionary<string, ReferenceTensor> Load(string folder)
    {
        string[] shards = Directory.GetFiles(folder, "model*.safetensors");
        if (shards.Length == 0)
            throw new InvalidDataException($"{folder}: no model*.safetensors");
        return shards.Order(StringComparer.Ordinal).SelectMany(LoadFile).ToDictionary(StringComparer.Ordinal);
    }

    /// <summary>Reads one safetensors file (F32, F16 and BF16).</summary>
    public static Dictionary<string, ReferenceTensor> LoadFile(string path)
    {
        byte[] file = File.ReadAllBytes(path);
        int headerLength = checked((int)BinaryPrimitives.ReadUInt64LittleEndian(file));
        ReadOnlyMemory<byte> data = file.AsMemory(8 + headerLength);
        using JsonDocument header = JsonDocument.Parse(file.AsMemory(8, headerLength));
        var tensors = new Dictionary<string, ReferenceTensor>(StringComparer.Ordinal);
        foreach (JsonProperty entry in header.RootElement.EnumerateObject().Where(entry => entry.Name != "__metadata__"))
        {
            int[] shape = [.. entry.Value.GetProperty("shape").EnumerateArray().Select(size => size.GetInt32())];
            JsonElement offsets = entry.Value.GetProperty("data_offsets");
            ReadOnlySpan<byte> bytes = data.Span[offsets[0].GetInt32()..offsets[1].GetInt32()];
            tensors.Add(entry.Name, new ReferenceTensor(shape, Widen(bytes, entry.Value.GetProperty("dtype").GetString()!)));
        }
        return tensors;
    }

    /// <summary>
    /// Random weights in a model's shapes: normal with deviation <paramref name="deviation"/>, norm weights around 1, biases around 0.
    /// </summary>
    public static Dictionary<string, ReferenceTensor> Random(ReferenceConfiguration configuration, int seed, double deviation = 0.05)
    {
        var random = new Random(seed);
        return configuration.ParameterShapes().ToDictionary(
            parameter => parameter.Name,
            parameter =>
            {
                double centre = parameter.Name.EndsWith("norm.weight", StringComparison.Ordinal) ? 1 : 0;
                return Normal(parameter.Shape, random, centre, deviation);
            },
            StringComparer.Ordinal);
    }

    internal static ReferenceTensor Normal(int[] shape, Random random, double centre, double deviation)
    {
        var values = new float[shape.Aggregate(1, (product, size) => checked(product * size))];
        for (int i = 0; i < values.Length; i++)
        {
            // Box and Muller; 1 - u keeps the logarithm finite.
            double radius = Math.Sqrt(-2 * Math.Log(1 - random.NextDouble()));
            values[i] = (float)(centre + (deviation * radius * Math.Cos(2 * Math.PI * random.NextDouble())));
        }
        return new ReferenceTensor(shape, values);
    }

    private static float[] Widen(ReadOnlySpan<byte> bytes, string type)
    {
        int size = type switch
        {
            "F32" => 4,
            "F16" or "BF16" => 2,
            _ => throw new InvalidDataException($"tensor type {type}: expected F32, F16 or BF16"),
        };
        var values = new float[bytes.Length / size];
        for (int i = 0; i < values.Length; i++)
        {
            ReadOnlySpan<byte> value = bytes[(i * size)..];
            values[i] = type switch
            {
                "F32" => BinaryPrimitives.ReadSingleLittleEndian(value),
                "F16" => (float)BinaryPrimitives.ReadHalfLittleEndian(value),
                _ => BitConverter.UInt32BitsToSingle((uint)BinaryPrimitives.ReadUInt16LittleEndian(value) << 16),
            };
        }
        return values;
    }
}
