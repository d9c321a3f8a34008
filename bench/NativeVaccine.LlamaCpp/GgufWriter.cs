using System.Runtime.InteropServices;
using System.Text;
using NativeVaccine.Models;

namespace NativeVaccine.LlamaCpp;

/// <summary>Writes a GGUF file, version 3 (ggml's docs/gguf.md), of a Llama in fp32 without a vocabulary.</summary>
internal static class GgufWriter
{
    private const uint Magic = 0x46554747; // "GGUF"
    private const uint Version = 3;
    private const uint Float32Tensor = 0;
    private const int Alignment = 32;

    private enum ValueType : uint
    {
        UInt32 = 4,
        Float32 = 6,
        Text = 8,
    }

    public static void Write(string path, ModelConfiguration shape, Weight[] weights, IWeightSource values)
    {
        (string Key, object Value)[] metadata =
        [
            ("general.architecture", "llama"),
            ("general.file_type", 0u),
            ("llama.vocab_size", (uint)shape.VocabularySize),
            ("llama.context_length", (uint)shape.MaximumPositions),
            ("llama.embedding_length", (uint)shape.HiddenSize),
            ("llama.block_count", (uint)shape.LayerCount),
            ("llama.feed_forward_length", (uint)shape.IntermediateSize),
            ("llama.attention.head_count", (uint)shape.HeadCount),
            ("llama.attention.head_count_kv", (uint)shape.KeyValueHeadCount),
            ("llama.attention.layer_norm_rms_epsilon", (float)shape.RmsNormEpsilon),
            ("llama.rope.dimension_count", (uint)shape.HeadSize),
            ("llama.rope.freq_base", (float)shape.RopeTheta),
            ("tokenizer.ggml.model", "no_vocab"),
        ];
        using var writer = new BinaryWriter(File.Create(path));
        writer.Write(Magic);
        writer.Write(Version);
        writer.Write((ulong)weights.Length);
        writer.Write((ulong)metadata.Length);
        foreach ((string key, object value) in metadata) WriteValue(writer, key, value);
        ulong offset = 0;
        foreach (Weight weight in weights)
        {
            WriteText(writer, weight.GgufName);
            ulong[] sizes = weight.Rows == 0 ? [(ulong)weight.Columns] : [(ulong)weight.Columns, (ulong)weight.Rows];
            writer.Write((uint)sizes.Length);
            foreach (ulong size in sizes) writer.Write(size);
            writer.Write(Float32Tensor);
            writer.Write(offset);
            offset += (ulong)RoundUp(Math.Max(1, weight.Rows) * (long)weight.Columns * sizeof(float));
        }
        foreach (Weight weight in weights)
        {
            Pad(writer);
            WriteRows(writer, shape, weight, values);
        }
        Pad(writer);
    }

    /// <summary>
    /// llama.cpp turns neighbours (2i, 2i + 1) of a head where Hugging Face turns halves (i, i + n/2): rows of queries and keys change places.
    /// </summary>
    private static void WriteRows(BinaryWriter writer, ModelConfiguration shape, Weight weight, IWeightSource values)
    {
        float[] row = new float[weight.Columns];
        int half = shape.HeadSize / 2;
        for (int i = 0; i < Math.Max(1, weight.Rows); i++)
        {
            (int head, int place) = Math.DivRem(i, shape.HeadSize);
            int from = weight.IsRotated ? (head * shape.HeadSize) + (place % 2 * half) + (place / 2) : i;
            values.ReadFloat32(weight.Name, row, (long)from * weight.Columns);
            writer.Write(MemoryMarshal.AsBytes<float>(row));
        }
    }

    private static void WriteValue(BinaryWriter writer, string key, object value)
    {
        WriteText(writer, key);
        switch (value)
        {
            case uint number:
                writer.Write((uint)ValueType.UInt32);
                writer.Write(number);
                break;
            case float number:
                writer.Write((uint)ValueType.Float32);
                writer.Write(number);
                break;
            default:
                writer.Write((uint)ValueType.Text);
                WriteText(writer, (string)value);
                break;
        }
    }

    private static void WriteText(BinaryWriter writer, string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        writer.Write((ulong)bytes.Length);
        writer.Write(bytes);
    }

    private static long RoundUp(long bytes) => (bytes + Alignment - 1) / Alignment * Alignment;

    private static void Pad(BinaryWriter writer)
    {
        writer.Flush();
        long position = writer.BaseStream.Position;
        writer.Write(new byte[RoundUp(position) - position]);
    }
}
