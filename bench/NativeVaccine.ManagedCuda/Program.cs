using System.Globalization;
using ManagedCuda;
using ManagedCuda.CudaBlas;
using NativeVaccine.ManagedCudaComparison;

const int runs = 21;
const double largestDifference = 0.02; // two roundings to bf16, and sums in another order

if (args.Length != 1)
{
    Console.Error.WriteLine("usage: NativeVaccine.ManagedCuda gemm.fatbin");
    return 2;
}

using var context = new PrimaryContext(0);
context.SetCurrent();
using var ours = new GemmKernel(context, File.ReadAllBytes(args[0]));
var blas = new CudaBlas();
Console.WriteLine($"{context.GetDeviceInfo().DeviceName}\n");
Console.WriteLine("| M | N | K | ours TFLOP/s | cuBLAS TFLOP/s | ours / cuBLAS | largest difference |");
Console.WriteLine("| ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
bool passed = true;
foreach ((int m, int n, int k) in new[] { (2000, 4096, 4096), (2000, 11008, 4096), (2000, 4096, 11008), (512, 32000, 4096) })
{
    using var comparison = new Comparison(ours, blas, m, n, k);
    double difference = comparison.LargestDifference();
    passed &= difference <= largestDifference; // false for NaN
    double ourMilliseconds = comparison.MedianMilliseconds(runs, ours: true), blasMilliseconds = comparison.MedianMilliseconds(runs, ours: false);
    double operations = 2.0 * m * n * k;
    Console.WriteLine(string.Create(
        CultureInfo.InvariantCulture,
        $"| {m} | {n} | {k} | {operations / ourMilliseconds * 1e-9:F1} | {operations / blasMilliseconds * 1e-9:F1} | {blasMilliseconds / ourMilliseconds:F2} | {difference:E1} |"));
}
blas.Dispose(); // has the method, but not the interface
Console.WriteLine(passed ? "\nequal" : "\nFAILED: the products differ");
return passed ? 0 : 1;
