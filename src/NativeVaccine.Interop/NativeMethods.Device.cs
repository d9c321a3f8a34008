using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace NativeVaccine.Interop;

internal static partial class NativeMethods
{
    [LibraryImport(Library, EntryPoint = "vaccine_device_create"), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial NativeStatus DeviceCreate(int index, int threads, out DeviceHandle device);

    [LibraryImport(Library, EntryPoint = "vaccine_device_destroy"), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial void DeviceDestroy(nint device);

    [LibraryImport(Library, EntryPoint = "vaccine_device_set_gemm"), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial NativeStatus DeviceSetGemm(DeviceHandle device, int gemm);

    [LibraryImport(Library, EntryPoint = "vaccine_device_get_info"), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial NativeStatus DeviceGetInfo(DeviceHandle device, ref NativeDeviceInfo info);
}
