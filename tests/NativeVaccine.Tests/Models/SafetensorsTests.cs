using System.Buffers.Binary;
using System.Text;
using NativeVaccine.Models;

namespace NativeVaccine.Tests.Models;

public sealed class SafetensorsTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData(ElementType.Float32)]
    [InlineData(ElementType.Float16)]
    [InlineData(ElementType.BFloat16)]
    public void What_is_written_is_read_back(ElementType type)
    {
        string path = folder.File("a.safetensors");
        TensorToWrite odd = Ramp("name with \"quotes\" and ü", type, 7);
        SafetensorsWriter.Write(path, [Ramp("first", type, 3, 5), odd, Ramp("scalar", type), Ramp("empty", type, 0, 4)]);

        Assert.Equal(0, (BinaryPrimitives.ReadInt64LittleEndian(File.ReadAllBytes(path)) + 8) % 8);
        using var reader = new SafetensorsReader(path);
        Assert.Equal("pt", reader.Metadata["format"]);
        Assert.Equal(4, reader.Names.Count);
        foreach (string name in reader.Names)
        {
            TensorInfo info = reader.Info(name);
            Assert.Equal(type, info.Type);
            float[] values = new float[info.ElementCount];
            reader.ReadFloat32(name, values);
            for (int i = 0; i < values.Length; i++) Assert.Equal(TinyModel.Ramp.Value(name, i), values[i]);
        }
        Assert.Equal<long>([3, 5], reader.Info("first").Shape.ToArray());
        Assert.Empty(reader.Info("scalar").Shape);
    }

    [Fact]
    public void A_tensor_larger_than_the_buffers_is_read_from_any_element_on()
    {
        const int count = 700_001;
        string path = folder.File("a.safetensors");
        SafetensorsWriter.Write(path, [Ramp("before", ElementType.BFloat16, 3), Ramp("large", ElementType.BFloat16, count)]);
        using var reader = new SafetensorsReader(path);
        foreach (int first in new[] { 0, 1, 131_071, 262_145, count - 1 })
        {
            float[] values = new float[Math.Min(300_000, count - first)];
            reader.ReadFloat32("large", values, first);
            for (int i = 0; i < values.Length; i++) Assert.Equal(TinyModel.Ramp.Value("large", first + i), values[i]);
        }
        Assert.Throws<ArgumentOutOfRangeException>(() => reader.ReadFloat32("large", new float[2], count - 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => reader.ReadFloat32("large", new float[2], -1));
    }

    [Fact]
    public void Bytes_are_read_as_stored()
    {
        byte[] data = [.. Enumerable.Range(0, 16).Select(static i => (byte)i)];
        string path = Write("""{"a":{"dtype":"I64","shape":[2],"data_offsets":[0,16]}}""", data);
        using var reader = new SafetensorsReader(path);
        byte[] bytes = new byte[5];
        reader.ReadBytes("a", bytes, 11);
        Assert.Equal([11, 12, 13, 14, 15], bytes);
        Refusal.Of(() => reader.ReadFloat32("a", new float[2]), "'a' is I64");
        Refusal.Of(() => reader.Info("b"), "no tensor 'b'");
    }

    [Theory]
    [InlineData("""{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[5],"data_offsets":[3,8]}}""", "overlaps")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""", "4 bytes before it belong to no tensor")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", "4 bytes at the end belong to no tensor")]
    [InlineData("""{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}}""", "outside the file")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}""", "outside the file")]
    [InlineData("""{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}""", "8 bytes, but shape (3) of F32 takes 12")]
    [InlineData("""{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}""", "-2; expected whole numbers from 0")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2.5],"data_offsets":[0,8]}}""", "2.5; expected whole numbers from 0")]
    [InlineData("""{"a":{"dtype":"F32","shape":[4294967296,4294967296,2],"data_offsets":[0,8]}}""", "too large")]
    [InlineData("""{"a":{"dtype":"F32","shape":[9223372036854775807,9223372036854775807,0],"data_offsets":[0,8]}}""", "takes 0")]
    [InlineData("""{"a":{"dtype":"F4","shape":[3],"data_offsets":[0,8]}}""", "does not fill whole bytes")]
    [InlineData("""{"a":{"dtype":"F31","shape":[2],"data_offsets":[0,8]}}""", "dtype 'F31' is unknown")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2]}}""", "data_offsets is missing")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0]}}""", "data_offsets has 1 numbers")]
    [InlineData("""{"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]},"a":{"dtype":"U8","shape":[0],"data_offsets":[8,8]}}""", "Duplicate")]
    [InlineData("""{"a":[]}""", "not an object")]
    [InlineData("""{"__metadata__":{"x":1}}""", "__metadata__")]
    [InlineData("""[]""", "expected a JSON object")]
    [InlineData("{\"a\":\n{\"dtype\":\"F32\",}}", ":2: broken JSON")]
    [InlineData("""{"\ud800":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", "surrogate")]
    public void A_lying_header_is_refused_with_its_reason(string header, string reason)
    {
        string path = Write(header, new byte[8]);
        Refusal.Of(() => new SafetensorsReader(path).Dispose(), path, reason);
    }

    [Fact]
    public void Cut_and_lying_lengths_are_refused()
    {
        string good = Write("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", new byte[8]);
        byte[] bytes = File.ReadAllBytes(good);
        string path = folder.File("cut.safetensors");
        for (int length = 0; length < bytes.Length; length++)
        {
            File.WriteAllBytes(path, bytes[..length]);
            Refusal.Of(() => new SafetensorsReader(path).Dispose(), path);
        }
        foreach (long lie in new[] { -1L, long.MinValue, long.MaxValue, 100_000_001, 99_999_999, bytes.Length })
        {
            BinaryPrimitives.WriteInt64LittleEndian(bytes, lie);
            File.WriteAllBytes(path, bytes);
            Refusal.Of(() => new SafetensorsReader(path).Dispose(), path, "header says");
        }
        Refusal.Of(() => new SafetensorsReader(folder.File("none")).Dispose(), "no such file");
        Refusal.Of(() => new SafetensorsReader(folder.Root).Dispose(), "is a folder; expected a file");
    }

    [Fact]
    public void A_file_that_shrinks_after_opening_is_an_error_and_no_crash()
    {
        string path = folder.File("a.safetensors");
        SafetensorsWriter.Write(path, [Ramp("a", ElementType.Float32, 1000)]);
        using var reader = new SafetensorsReader(path);
        using (var stream = new FileStream(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite)) stream.SetLength(500);
        Refusal.Of(() => reader.ReadFloat32("a", new float[1000]), "ends at byte 500");
    }

    [Fact]
    public void A_number_too_large_for_float16_is_refused_and_the_old_file_stays()
    {
        string path = folder.File("a.safetensors");
        File.WriteAllText(path, "old");
        var tensor = new TensorToWrite("w", ElementType.Float16, [4], static (first, destination) =>
        {
            destination.Clear();
            destination[2] = 65520;
        });
        Refusal.Of(() => SafetensorsWriter.Write(path, [tensor]), "'w'", "element 2 is 65520", "fp16");
        Assert.Equal("old", File.ReadAllText(path));
        Assert.Equal([path], Directory.GetFileSystemEntries(folder.Root));
    }

    [Fact]
    public void Mutations_are_read_or_refused()
    {
        string path = folder.File("small.safetensors");
        TensorToWrite[] tensors = [Ramp("a", ElementType.Float32, 2, 3), Ramp("b", ElementType.BFloat16, 5), Ramp("c", ElementType.Float16)];
        SafetensorsWriter.Write(path, tensors);
        string damagedPath = folder.File("damaged.safetensors");
        Mutation.Run(File.ReadAllBytes(path), 10_000, seed: 1, damaged =>
        {
            Mutation.Put(damagedPath, damaged);
            using var reader = new SafetensorsReader(damagedPath);
            foreach (string name in reader.Names)
            {
                TensorInfo info = reader.Info(name);
                reader.ReadBytes(name, new byte[info.ByteLength]);
                if (info.Type.IsWeight()) reader.ReadFloat32(name, new float[info.ElementCount]);
            }
        });
    }

    private static TensorToWrite Ramp(string name, ElementType type, params long[] shape) =>
        new(name, type, [.. shape], (first, destination) => new TinyModel.Ramp().ReadFloat32(name, destination, first));

    private string Write(string header, byte[] data)
    {
        byte[] text = Encoding.UTF8.GetBytes(header);
        byte[] length = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(length, text.Length);
        string path = folder.File("written.safetensors");
        File.WriteAllBytes(path, [.. length, .. text, .. data]);
        return path;
    }
}
