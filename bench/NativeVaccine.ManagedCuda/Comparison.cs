using ManagedCuda;
using ManagedCuda.CudaBlas;
using Math = System.Math;

namespace NativeVaccine.ManagedCudaComparison;

/// <summary>One product of bf16 matrices of random numbers, by both.</summary>
internal sealed class Comparison : IDisposable
{
    /// <summary>CUDA_R_16BF, which ManagedCuda's DataType does not name; it is passed on as it is.</summary>
    private const DataType BFloat16 = (DataType)14;
    private readonly GemmKernel kernel;
    private readonly CudaBlas blas;
    private readonly int m;
    private readonly int n;
    private readonly int k;
    private readonly CudaDeviceVariable<ushort> a;
    private readonly CudaDeviceVariable<ushort> b;
    private readonly CudaDeviceVariable<ushort> ours;
    private readonly CudaDeviceVariable<ushort> theirs;
    private readonly CudaEvent start = new();
    private readonly CudaEvent end = new();

    public Comparison(GemmKernel kernel, CudaBlas blas, int m, int n, int k)
    {
        (this.kernel, this.blas, this.m, this.n, this.k) = (kernel, blas, m, n, k);
        var random = new Random(1);
        a = RandomMatrix(random, m, k);
        b = RandomMatrix(random, n, k);
        ours = new CudaDeviceVariable<ushort>((long)m * n);
        theirs = new CudaDeviceVariable<ushort>((long)m * n);
    }

    /// <summary>Between the two products, as a part of the largest element.</summary>
    public double LargestDifference()
    {
        RunOurs();
        RunTheirs();
        ushort[] first = ours, second = theirs;
        double largest = 0, scale = 0;
        for (int i = 0; i < first.Length; i++)
        {
            double x = ToDouble(first[i]), y = ToDouble(second[i]);
            largest = Math.Max(largest, Math.Abs(x - y)); // NaN stays
            scale = Math.Max(scale, Math.Abs(y));
        }
        return largest / scale;
    }

    /// <summary>Of a product on the GPU, after one that is not counted.</summary>
    public double MedianMilliseconds(int runs, bool ours)
    {
        float Once() => ours ? RunOurs() : RunTheirs();
        Once();
        return Enumerable.Range(0, runs).Select(_ => Once()).Order().ElementAt(runs / 2);
    }

    public void Dispose()
    {
        foreach (IDisposable each in new IDisposable[] { a, b, ours, theirs, start, end }) each.Dispose();
    }

    private static double ToDouble(ushort bits) => BitConverter.Int32BitsToSingle(bits << 16);

    private static CudaDeviceVariable<ushort> RandomMatrix(Random random, int rows, int columns)
    {
        ushort[] values = new ushort[(long)rows * columns];
        for (long i = 0; i < values.LongLength; i++)
            values[i] = (ushort)(BitConverter.SingleToInt32Bits((random.NextSingle() * 2) - 1) >> 16);
        return values;
    }

    private float RunOurs() => kernel.Run(m, n, k, a.DevicePointer, b.DevicePointer, ours.DevicePointer);

    /// <summary>To cuBLAS, whose matrices lie column by column, c is (N, M) = b a^T with a and b transposed.</summary>
    private float RunTheirs()
    {
        start.Record();
        blas.GemmEx(
            Operation.Transpose, Operation.NonTranspose, n, m, k, 1f, b.DevicePointer, BFloat16, k, a.DevicePointer, BFloat16, k, 0f,
            theirs.DevicePointer, BFloat16, n);
        end.Record();
        end.Synchronize();
        return CudaEvent.ElapsedTime(start, end);
    }
}
