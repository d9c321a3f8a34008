using BenchmarkDotNet.Attributes;
using NativeVaccine.Numerics;

namespace NativeVaccine.Benchmarks.Micro;

/// <summary>The counter-based generator; times are for one block of four words, or one number of a stream.</summary>
[Config(typeof(MicroBenchmarkConfig))]
public class PhiloxBenchmarks
{
    private const int Count = 4096;
    private readonly Philox.Key key = new(4, 5);
    private readonly ulong seed = 1;

    [Benchmark(OperationsPerInvoke = Count)]
    public uint Block()
    {
        uint sum = 0;
        for (uint i = 0; i < Count; i++) sum ^= Philox.Block(new Philox.Words(i, 1, 2, 3), key).X;
        return sum;
    }

    [Benchmark(OperationsPerInvoke = Count)]
    public double Uniform()
    {
        var stream = new PhiloxStream(seed, 2, 3);
        double sum = 0;
        for (int i = 0; i < Count; i++) sum += stream.NextDouble();
        return sum;
    }

    [Benchmark(OperationsPerInvoke = Count)]
    public double Gaussian()
    {
        var stream = new PhiloxStream(seed, 2, 3);
        double sum = 0;
        for (int i = 0; i < Count; i++) sum += stream.NextGaussian();
        return sum;
    }
}
