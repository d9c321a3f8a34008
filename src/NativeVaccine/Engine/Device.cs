using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using NativeVaccine.Interop;
using NativeVaccine.IO;

namespace NativeVaccine.Engine;

/// <summary>What a device is.</summary>
/// <param name="Name">Its maker's name for it.</param>
/// <param name="Threads">Worker threads of a CPU, multiprocessors of a GPU.</param>
/// <param name="TotalBytes">Its memory.</param>
/// <param name="FreeBytes">What of it was free when this was asked.</param>
/// <param name="ComputeCapability">Of a GPU, as 8.6; null on a CPU.</param>
/// <param name="DriverVersion">The CUDA version that a GPU's driver is for, as 12.2; null on a CPU.</param>
/// <param name="RuntimeVersion">The CUDA version of the engine's runtime; null on a CPU.</param>
/// <param name="Gemm">The GEMM backend on it: <see cref="GemmChoice.Own"/> or <see cref="GemmChoice.Cublas"/>.</param>
/// <param name="HasCublas">Whether cuBLAS is installed, so that it can be chosen; false on a CPU.</param>
/// <param name="Instructions">What the engine's kernels use of a CPU: "plain", "avx2" or "avx512"; null on a GPU.</param>
public sealed record DeviceInfo(
    string Name,
    int Threads,
    long TotalBytes,
    long FreeBytes,
    Version? ComputeCapability,
    Version? DriverVersion,
    Version? RuntimeVersion,
    GemmChoice Gemm,
    bool HasCublas,
    string? Instructions);

/// <summary>What there is of an engine on this machine.</summary>
/// <param name="Name">"cpu" or "cuda".</param>
/// <param name="IsInstalled">Whether its library is there.</param>
/// <param name="Devices">The devices that it can open.</param>
/// <param name="Problem">Why it cannot be used, in a line with the next step; null where it can, or is not there.</param>
public sealed record EngineStatus(string Name, bool IsInstalled, IReadOnlyList<DeviceInfo> Devices, string? Problem);

/// <summary>
/// Something that computes: the processor, or an NVIDIA GPU. Opening the first one loads the engine for its kind, and a process uses one
/// kind. Sessions on one device take turns.
/// </summary>
public sealed class Device : IDisposable
{
    private const string CpuVariant = "cpu";
    private const string CudaVariant = "cuda";

    private Device(string name, DeviceHandle handle)
    {
        (Name, Handle) = (name, handle);
        Info = Describe(handle);
    }

    /// <summary>
    /// What <see cref="PlannableBytes"/> leaves of a GPU's free memory: room for kernels, which CUDA loads when they are first used, for
    /// cuBLAS's workspace, and for what a desktop takes meanwhile. 512 MiB.
    /// </summary>
    public static long ReservedBytes => 512L << 20;

    /// <summary>As it was asked for: "cpu", or "cuda:N".</summary>
    public string Name { get; }

    /// <summary>What was opened, as it was then.</summary>
    public DeviceInfo Info { get; }

    /// <summary>Which build of the engine runs on it, one line.</summary>
    public string EngineDescription { get; } = NativeMethods.BuildDescription();

    /// <summary>True for an NVIDIA GPU.</summary>
    public bool IsGpu => Info.ComputeCapability is not null;

    /// <summary>
    /// The bytes that plans on a GPU stay within unless told otherwise: what was free when it was opened, less
    /// <see cref="ReservedBytes"/>. 0, for no limit, on a CPU.
    /// </summary>
    public long PlannableBytes => IsGpu ? Math.Max(1, Info.FreeBytes - ReservedBytes) : 0;

    internal DeviceHandle Handle { get; }

    /// <summary>Opens a device.</summary>
    /// <param name="name">"cpu", or "cuda:N" with N from 0.</param>
    /// <param name="threads">Worker threads of a CPU; 0 for as many as there are processors. Results do not depend on it.</param>
    /// <param name="gemm">The GEMM backend of a GPU; a CPU has no choice.</param>
    /// <exception cref="InputException">Another name, an engine that is missing or of another version, or no such device.</exception>
    public static Device Open(string name = CpuVariant, int threads = 0, GemmChoice gemm = GemmChoice.Auto)
    {
        (string variant, int index) = Parse(name);
        if (variant == CpuVariant && gemm != GemmChoice.Auto)
            throw new InputException($"gemm {InputText.Quote(gemm.ToString().ToLowerInvariant())}: only a GPU has the choice; expected auto on cpu");
        Load(variant, EngineLibrary.Choose);
        NativeMethods.DeviceCreate(index, threads, out DeviceHandle handle).ThrowIfFailed();
        try
        {
            // auto is how every device begins.
            if (gemm != GemmChoice.Auto) NativeMethods.DeviceSetGemm(handle, (int)gemm).ThrowIfFailed();
            return new Device(name, handle);
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    /// <summary>What engines there are, the processor's first, and what each can open. Opens nothing for use.</summary>
    public static IReadOnlyList<EngineStatus> Survey() => [StatusOf(CpuVariant), StatusOf(CudaVariant)];

    /// <summary>Why there is no GPU to open, where a name is a GPU's and there is none here at all; null in all other cases. Opens nothing.</summary>
    /// <param name="name">"cpu", or "cuda:N".</param>
    /// <exception cref="InputException">Another name.</exception>
    public static string? WhyNoGpu(string name)
    {
        if (Parse(name).Variant == CpuVariant) return null;
        try
        {
            return DeviceProbe.Count(CudaVariant) switch
            {
                null => "the cuda engine is not installed",
                0 => "the driver sees no GPU",
                _ => null,
            };
        }
        catch (NativeLibraryException failure)
        {
            return failure.Message;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => Handle.Dispose();

    /// <summary>For what every engine can say without a device.</summary>
    internal static void LoadAnyEngine() => Load(CpuVariant, EngineLibrary.ChooseUnlessChosen);

    private static void Load(string variant, Action<string> choose)
    {
        try
        {
            choose(variant);
        }
        catch (NativeLibraryException failure)
        {
            throw new InputException(failure.Message, failure);
        }
    }

    private static EngineStatus StatusOf(string variant)
    {
        try
        {
            IReadOnlyList<NativeDeviceInfo>? devices = DeviceProbe.Devices(variant);
            return new EngineStatus(variant, devices is not null, [.. (devices ?? []).Select(static info => Convert(info))], null);
        }
        catch (NativeLibraryException failure)
        {
            return new EngineStatus(variant, true, [], failure.Message);
        }
    }

    private static (string Variant, int Index) Parse(string name)
    {
        if (name == CpuVariant) return (CpuVariant, 0);
        string[] parts = name.Split(':');
        if (parts is [CudaVariant, string number] && int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out int index))
            return (CudaVariant, index);
        throw new InputException($"device {InputText.Quote(name)} is unknown; expected cpu or cuda:N");
    }

    private static DeviceInfo Describe(DeviceHandle handle)
    {
        var info = new NativeDeviceInfo { StructSize = (uint)Unsafe.SizeOf<NativeDeviceInfo>() };
        NativeMethods.DeviceGetInfo(handle, ref info).ThrowIfFailed();
        return Convert(info);
    }

    private static DeviceInfo Convert(in NativeDeviceInfo info) => new(
        NativeText.Read(info.Name),
        info.Threads,
        info.TotalBytes,
        info.FreeBytes,
        info.ComputeMajor > 0 ? new Version(info.ComputeMajor, info.ComputeMinor) : null,
        CudaVersion(info.DriverVersion),
        CudaVersion(info.RuntimeVersion),
        (GemmChoice)info.Gemm,
        info.Cublas != 0,
        NativeText.Read(info.Instructions) is { Length: > 0 } instructions ? instructions : null);

    /// <summary>CUDA writes 11.8 as 11080.</summary>
    private static Version? CudaVersion(int number) => number > 0 ? new Version(number / 1000, number % 1000 / 10) : null;
}

/// <summary>Text in a native struct.</summary>
internal static class NativeText
{
    public static string Read(ReadOnlySpan<byte> text)
    {
        int length = text.IndexOf((byte)0);
        return Encoding.UTF8.GetString(length < 0 ? text : text[..length]);
    }
}
