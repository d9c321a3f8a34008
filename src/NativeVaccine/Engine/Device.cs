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
public sealed record DeviceInfo(string Name, int Threads, long TotalBytes, long FreeBytes, Version? ComputeCapability);

/// <summary>
/// Something that computes: the processor, or an NVIDIA GPU. Opening the first one loads the engine for its kind, and a process uses one
/// kind. Sessions on one device take turns.
/// </summary>
public sealed class Device : IDisposable
{
    private const string CpuVariant = "cpu";
    private const string CudaVariant = "cuda";

    private Device(DeviceHandle handle)
    {
        Handle = handle;
        Info = Describe(handle);
    }

    /// <summary>What was opened, as it was then.</summary>
    public DeviceInfo Info { get; }

    /// <summary>Which build of the engine runs on it, one line.</summary>
    public string EngineDescription { get; } = NativeMethods.BuildDescription();

    internal DeviceHandle Handle { get; }

    /// <summary>Opens a device.</summary>
    /// <param name="name">"cpu", or "cuda:N" with N from 0.</param>
    /// <param name="threads">Worker threads of a CPU; 0 for as many as there are processors. Results do not depend on it.</param>
    /// <exception cref="InputException">Another name, an engine that is missing or of another version, or no such device.</exception>
    public static Device Open(string name = CpuVariant, int threads = 0)
    {
        (string variant, int index) = Parse(name);
        try
        {
            EngineLibrary.Choose(variant);
        }
        catch (NativeLibraryException failure)
        {
            throw new InputException(failure.Message, failure);
        }
        NativeMethods.DeviceCreate(index, threads, out DeviceHandle handle).ThrowIfFailed();
        return new Device(handle);
    }

    /// <summary>All devices of the engines that are installed: the processor first, then the GPUs. Opens none for use.</summary>
    /// <exception cref="InputException">An engine is there but cannot be used.</exception>
    public static IReadOnlyList<DeviceInfo> List()
    {
        try
        {
            return [.. DeviceProbe.Devices(CpuVariant).Concat(DeviceProbe.Devices(CudaVariant)).Select(static info => Convert(info))];
        }
        catch (NativeLibraryException failure)
        {
            throw new InputException(failure.Message, failure);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => Handle.Dispose();

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
        info.ComputeMajor > 0 ? new Version(info.ComputeMajor, info.ComputeMinor) : null);
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
