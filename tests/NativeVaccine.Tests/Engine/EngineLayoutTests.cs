using System.Globalization;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using NativeVaccine.Engine;
using NativeVaccine.Interop;

namespace NativeVaccine.Tests.Engine;

/// <summary>The C# structs against the layout that the compiled library reports.</summary>
public sealed partial class EngineLayoutTests
{
    private static readonly Dictionary<string, Type> Structs = new()
    {
        ["vaccine_device_info"] = typeof(NativeDeviceInfo),
        ["vaccine_layer_shape"] = typeof(NativeLayerShape),
        ["vaccine_model_shape"] = typeof(NativeModelShape),
        ["vaccine_plan_options"] = typeof(NativePlanOptions),
        ["vaccine_plan_item"] = typeof(NativePlanItem),
        ["vaccine_plan_summary"] = typeof(NativePlanSummary),
        ["vaccine_tensor_info"] = typeof(NativeTensorInfo),
        ["vaccine_batch"] = typeof(NativeBatch),
        ["vaccine_loss_head"] = typeof(NativeLossHead),
        ["vaccine_forward_options"] = typeof(NativeForwardOptions),
        ["vaccine_backward_options"] = typeof(NativeBackwardOptions),
        ["vaccine_adamw_options"] = typeof(NativeAdamWOptions),
        ["vaccine_sampling"] = typeof(NativeSampling),
    };

    [Fact]
    public void StructsHaveTheSizesAndOffsetsOfTheLibrary()
    {
        using Device device = TestDevice.Open();
        SortedDictionary<string, int> reported = new(StringComparer.Ordinal);
        foreach (string line in NativeMethods.AbiLayout().Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            string[] parts = line.Split(' ');
            reported.Add(parts[0], int.Parse(parts[1], CultureInfo.InvariantCulture));
        }

        SortedDictionary<string, int> mirrored = new(StringComparer.Ordinal);
        foreach ((string name, Type type) in Structs)
        {
            mirrored.Add(name, Marshal.SizeOf(type));
            foreach (FieldInfo field in type.GetFields(BindingFlags.Public | BindingFlags.Instance))
                mirrored.Add($"{name}.{SnakeCase(field.Name)}", (int)Marshal.OffsetOf(type, field.Name));
        }

        Assert.Equal(Lines(reported), Lines(mirrored));

        static IEnumerable<string> Lines(SortedDictionary<string, int> layout) =>
            layout.Select(static entry => $"{entry.Key} {entry.Value}");
    }

    [Fact]
    public void TheLibrarySaysWhichBuildItIs()
    {
        using Device device = TestDevice.Open();
        Assert.Contains(TestDevice.IsGpu ? "cuda 1" : "cpu", NativeMethods.BuildDescription(), StringComparison.Ordinal);
    }

    [Fact]
    public void AProcessorsEngineSaysWhatItsKernelsUse()
    {
        using Device device = TestDevice.Open();
        if (TestDevice.IsGpu) Assert.Null(device.Info.Instructions);
        else Assert.Contains(device.Info.Instructions, (string[])["plain", "avx2", "avx512"]);
        Assert.True(device.Info.HasCublas || device.Info.Gemm == GemmChoice.Own);
    }

    private static string SnakeCase(string name) => CapitalsInside().Replace(name, "_$1").ToLowerInvariant();

    [GeneratedRegex("(?<!^)([A-Z])")]
    private static partial Regex CapitalsInside();
}
