using System.Runtime.InteropServices;

namespace NativeVaccine.Interop;

/// <summary>Asks a loaded engine about its devices through pointers, so that no choice between the engines is made by looking.</summary>
internal static unsafe class DeviceProbe
{
    /// <summary>How many devices the library of a variant sees, without opening one; null if there is no such library.</summary>
    /// <exception cref="NativeLibraryException">The library is there but cannot be used.</exception>
    public static int? Count(string variant)
    {
        nint library = EngineLibrary.Probe(variant);
        return library == 0 ? null : Count(library);
    }

    /// <summary>All devices that the library of a variant can open; null if there is no such library.</summary>
    /// <exception cref="NativeLibraryException">The library is there but cannot be used, or a device cannot be opened.</exception>
    public static IReadOnlyList<NativeDeviceInfo>? Devices(string variant)
    {
        nint library = EngineLibrary.Probe(variant);
        if (library == 0) return null;
        var found = new NativeDeviceInfo[Count(library)];
        for (int index = 0; index < found.Length; index++) found[index] = Describe(library, index);
        return found;
    }

    private static int Count(nint library)
    {
        var count = (delegate* unmanaged[Cdecl]<int*, NativeStatus>)NativeLibrary.GetExport(library, "vaccine_device_count");
        int devices;
        Require(library, count(&devices));
        return devices;
    }

    private static NativeDeviceInfo Describe(nint library, int index)
    {
        nint Export(string name) => NativeLibrary.GetExport(library, name);
        var create = (delegate* unmanaged[Cdecl]<int, int, nint*, NativeStatus>)Export("vaccine_device_create");
        var getInfo = (delegate* unmanaged[Cdecl]<nint, NativeDeviceInfo*, NativeStatus>)Export("vaccine_device_get_info");
        var destroy = (delegate* unmanaged[Cdecl]<nint, void>)Export("vaccine_device_destroy");
        nint device;
        Require(library, create(index, 0, &device));
        try
        {
            var info = new NativeDeviceInfo { StructSize = (uint)sizeof(NativeDeviceInfo) };
            Require(library, getInfo(device, &info));
            return info;
        }
        finally
        {
            destroy(device);
        }
    }

    private static void Require(nint library, NativeStatus status)
    {
        if (status == NativeStatus.Ok) return;
        var message = (delegate* unmanaged[Cdecl]<nint>)NativeLibrary.GetExport(library, "vaccine_last_error_message");
        throw new NativeLibraryException(EngineMessage.ForUsers(Marshal.PtrToStringUTF8(message()) ?? $"status {status}"));
    }
}
