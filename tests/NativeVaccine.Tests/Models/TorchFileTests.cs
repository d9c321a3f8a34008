using System.IO.Compression;
using System.Text;
using System.Text.Json.Nodes;
using NativeVaccine.Models;

namespace NativeVaccine.Tests.Models;

/// <summary>Files of torch.save: the same tensors as in safetensors, and nothing is run.</summary>
public sealed class TorchFileTests : IDisposable
{
    private const string Storages = "ctorch._utils\n_rebuild_tensor_v2\n";
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void A_model_in_two_files_has_the_tensors_of_its_safetensors()
    {
        // One is a transposed view, some are bf16 where the other file has fp32.
        using var expected = new SafetensorsReader(Fixtures.Path("tiny-classifier", "model.safetensors"));
        var names = new HashSet<string>(StringComparer.Ordinal);
        bool hasBFloat16 = false;
        foreach (string file in Directory.GetFiles(Fixtures.Path("tiny-classifier-bin"), "*.bin"))
        {
            using var actual = TensorFile.Open(file);
            foreach (string name in actual.Names)
            {
                Assert.True(names.Add(name));
                Assert.Equal(expected.Info(name).Shape.ToArray(), actual.Info(name).Shape.ToArray());
                float[] wanted = new float[expected.Info(name).ElementCount], found = new float[wanted.Length];
                expected.ReadFloat32(name, wanted);
                actual.ReadFloat32(name, found);
                bool isRounded = actual.Info(name).Type == ElementType.BFloat16;
                hasBFloat16 |= isRounded;
                for (int i = 0; i < wanted.Length; i++) Assert.Equal(wanted[i], found[i], isRounded ? Math.Abs(wanted[i]) / 256 : 0);
                float[] piece = new float[Math.Min(7, wanted.Length - 5)];
                actual.ReadFloat32(name, piece, 5);
                Assert.Equal(found[5..(5 + piece.Length)], piece);
                byte[] bytes = new byte[3];
                actual.ReadBytes(name, bytes, 5);
                byte[] all = new byte[actual.Info(name).ByteLength];
                actual.ReadBytes(name, all);
                Assert.Equal(all[5..8], bytes);
            }
        }
        Assert.Equal(expected.Names.Order(), names.Order());
        Assert.True(hasBFloat16);
    }

    [Fact]
    public void A_folder_of_such_files_opens_and_safetensors_go_before_them()
    {
        foreach (string file in Directory.GetFiles(Fixtures.Path("tiny-classifier-bin")))
            File.Copy(file, Path.Combine(Directory.CreateDirectory(folder.File("m")).FullName, Path.GetFileName(file)));
        JsonObject configuration = JsonNode.Parse(File.ReadAllText(folder.File("m", "config.json")))!.AsObject();
        configuration["architectures"] = new JsonArray("LlamaForCausalLM");
        configuration["tie_word_embeddings"] = true;
        File.WriteAllText(folder.File("m", "config.json"), configuration.ToJsonString());
        float[] fromTorch = new float[64 * 64];
        using (ModelFolder model = ModelFolder.Open(folder.File("m")))
        {
            Assert.Equal(["score.weight"], model.IgnoredTensors);
            model.ReadFloat32(WeightNames.Weight(1, Projection.Query), fromTorch);
            ModelMerger.Merge(model, [], folder.File("copy"), ElementType.Float32);
        }
        File.Copy(folder.File("copy", "model.safetensors"), folder.File("m", "model.safetensors"));
        File.Delete(folder.File("m", "pytorch_model-00001-of-00002.bin"));
        using ModelFolder again = ModelFolder.Open(folder.File("m"));
        float[] fromSafetensors = new float[fromTorch.Length];
        again.ReadFloat32(WeightNames.Weight(1, Projection.Query), fromSafetensors);
        Assert.Equal(fromTorch, fromSafetensors);
    }

    [Fact]
    public void An_adapter_in_such_a_file_is_the_same_adapter()
    {
        ModelConfiguration model = ModelConfiguration.Load(Fixtures.Path("tiny-llama"));
        Adapter expected = Adapter.Load(Fixtures.Path("adapter-all"), model), actual = Adapter.Load(Fixtures.Path("adapter-all-bin"), model);
        Assert.Equal(expected.Modules.Count, actual.Modules.Count);
        foreach (AdapterModule module in expected.Modules)
        {
            Assert.Equal(module.Matrices.A, actual[module.Layer, module.Projection].A);
            Assert.Equal(module.Matrices.B, actual[module.Layer, module.Projection].B);
        }
    }

    [Fact]
    public void Whoever_wants_something_to_be_run_is_refused_by_name() => Refusal.Of(
        () => new TorchFile(Fixtures.Path("hostile", "pytorch_model.bin")).Dispose(), "pickle wants 'posix.system'", "nothing was run");

    [Theory]
    [InlineData("}X\u0001\0\0\0xK\u0001s.", "something else than a tensor under 'x'")]
    [InlineData("K\u0001.", "holds no dictionary")]
    [InlineData("cos\nsystem\n.", "wants 'os.system'")]
    [InlineData("}", "is cut short")]
    [InlineData("R", "takes a value that is not there")]
    [InlineData("i", "has instruction 0x69 at 0")]
    [InlineData("ccollections\nOrderedDict\nK\u0001\u0085R.", "calls something")]
    [InlineData("X\u0002\0\0\0zzK\u0001\u0085Q.", "refers to something else than a storage")]
    [InlineData("}K\u0001K\u0001s.", "has a key that is no text")]
    public void A_pickle_that_is_no_dictionary_of_tensors_is_refused(string pickle, string expected)
    {
        Write(Encoding.Latin1.GetBytes(pickle));
        Refusal.Of(() => Open(), folder.File("x.bin"), expected);
    }

    [Theory]
    [InlineData(0, 2, 3, 3, 1, null)]
    [InlineData(2, 2, 2, 1, 2, null)]
    [InlineData(1, 2, 3, 3, 1, "element 6 is asked for of a storage of 6")]
    [InlineData(0, 2, 3, 4, 1, "element 6 is asked for of a storage of 6")]
    [InlineData(0, 255, 255, 0, 0, null)]
    public void Elements_must_lie_in_the_storage(int offset, int rows, int columns, int rowStride, int columnStride, string? expected)
    {
        Write(Tensor(offset, rows, columns, rowStride, columnStride), new float[] { 0, 1, 2, 3, 4, 5 });
        if (expected is not null)
        {
            Refusal.Of(() => Open(), "tensor 'x'", expected);
            return;
        }
        using var file = new TorchFile(folder.File("x.bin"));
        float[] values = new float[rows * columns];
        file.ReadFloat32("x", values);
        for (int i = 0; i < values.Length; i++) Assert.Equal(offset + (i / columns * rowStride) + (i % columns * columnStride), values[i]);
    }

    [Fact]
    public void Archives_that_cannot_be_read_in_place_are_refused()
    {
        Write(Tensor(0, 2, 3, 3, 1), new float[6], CompressionLevel.SmallestSize);
        Refusal.Of(() => Open(), "is compressed; expected it stored");
        Write(Tensor(0, 2, 3, 3, 1), new float[5]);
        Refusal.Of(() => Open(), "its storage shall have 6 elements of 4 bytes, but has 20 bytes");
        Write(Tensor(0, 2, 3, 3, 1));
        Refusal.Of(() => Open(), "its storage '0' is not in the file");
        File.WriteAllBytes(folder.File("x.bin"), [0x80, 2, (byte)'}', (byte)'.']);
        Refusal.Of(() => Open(), "is no zip archive; expected what torch.save writes since PyTorch 1.6");
        using (var archive = new ZipArchive(File.Create(folder.File("x.bin")), ZipArchiveMode.Create)) Put(archive, "x/other", [1], CompressionLevel.NoCompression);
        Refusal.Of(() => Open(), "has 0 entries data.pkl");
    }

    [Fact]
    public void Mutations_are_read_or_refused()
    {
        Write(Tensor(0, 2, 3, 1, 2), new float[6]);
        string path = folder.File("x.bin");
        Mutation.Run(File.ReadAllBytes(path), 10_000, seed: 11, damaged =>
        {
            Mutation.Put(path, damaged);
            Open();
        });
    }

    [Fact]
    public void Mutations_of_the_pickle_are_read_or_refused() => Mutation.Run(
        Tensor(0, 2, 3, 3, 1), 10_000, seed: 12, static damaged => PickleReader.Read(damaged, "x"));

    private void Open()
    {
        using var file = new TorchFile(folder.File("x.bin"));
        foreach (string name in file.Names.Where(name => file.Info(name) is { ByteLength: < 1000, Type: ElementType.Float32 }))
            file.ReadFloat32(name, new float[file.Info(name).ElementCount]);
    }

    /// <summary>What torch.save writes for {"x": a view of six floats}.</summary>
    private static byte[] Tensor(params int[] numbers)
    {
        byte[] n = [.. numbers.Select(static number => (byte)number)];
        return
        [
            0x80, 2, .. "}q\0("u8, .. "X\u0001\0\0\0x"u8, .. Encoding.ASCII.GetBytes(Storages), .. "(("u8, .. "X\u0007\0\0\0storage"u8,
            .. "ctorch\nFloatStorage\n"u8, .. "X\u0001\0\0\00"u8, .. "X\u0003\0\0\0cpu"u8, (byte)'K', 6, .. "tQK"u8, n[0],
            (byte)'K', n[1], (byte)'K', n[2], 0x86, (byte)'K', n[3], (byte)'K', n[4], 0x86, 0x89, .. "ccollections\nOrderedDict\n)RtRu."u8,
        ];
    }

    private void Write(byte[] pickle, float[]? storage = null, CompressionLevel level = CompressionLevel.NoCompression)
    {
        using var archive = new ZipArchive(File.Create(folder.File("x.bin")), ZipArchiveMode.Create);
        Put(archive, "x/data.pkl", pickle, level);
        if (storage is not null) Put(archive, "x/data/0", System.Runtime.InteropServices.MemoryMarshal.AsBytes(storage.AsSpan()).ToArray(), level);
    }

    private static void Put(ZipArchive archive, string name, byte[] content, CompressionLevel level)
    {
        using Stream stream = archive.CreateEntry(name, level).Open();
        stream.Write(content);
    }
}
