using BenchmarkDotNet.Attributes;
using NativeVaccine.Models;

namespace NativeVaccine.Benchmarks.Micro;

/// <summary>Opening and reading a tensor from a file that the system holds in memory; times are for one element.</summary>
[Config(typeof(MicroBenchmarkConfig))]
public class SafetensorsBenchmarks
{
    private const int Elements = 1 << 22;
    private const string Name = "weight";
    private readonly float[] values = new float[Elements];
    private string path = "";

    /// <summary>What the file holds; it is read as floats.</summary>
    [Params(ElementType.Float32, ElementType.BFloat16, ElementType.Float16)]
    public ElementType Type { get; set; }

    [GlobalSetup]
    public void Write()
    {
        var random = new Random(1);
        path = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        SafetensorsWriter.Write(path, [new TensorToWrite(Name, Type, [Elements], (_, destination) =>
        {
            foreach (ref float value in destination) value = random.NextSingle() - 0.5f;
        })]);
    }

    [GlobalCleanup]
    public void Delete() => File.Delete(path);

    [Benchmark(OperationsPerInvoke = Elements)]
    public float Read()
    {
        using var reader = new SafetensorsReader(path);
        reader.ReadFloat32(Name, values);
        return values[^1];
    }
}
