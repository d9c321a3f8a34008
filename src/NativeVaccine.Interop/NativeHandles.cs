using Microsoft.Win32.SafeHandles;

namespace NativeVaccine.Interop;

/// <summary>An vaccine_device.</summary>
internal sealed class DeviceHandle() : SafeHandleZeroOrMinusOneIsInvalid(ownsHandle: true)
{
    protected override bool ReleaseHandle()
    {
        NativeMethods.DeviceDestroy(handle);
        return true;
    }
}

/// <summary>An vaccine_plan.</summary>
internal sealed class PlanHandle() : SafeHandleZeroOrMinusOneIsInvalid(ownsHandle: true)
{
    protected override bool ReleaseHandle()
    {
        NativeMethods.PlanDestroy(handle);
        return true;
    }
}

/// <summary>An vaccine_session. Its memory is the device's, so it keeps the device open until it is closed itself.</summary>
internal sealed class SessionHandle() : SafeHandleZeroOrMinusOneIsInvalid(ownsHandle: true)
{
    private DeviceHandle? device;

    /// <summary>To be called once, when the session was created.</summary>
    public void KeepOpen(DeviceHandle parent)
    {
        bool added = false;
        parent.DangerousAddRef(ref added);
        device = parent;
    }

    protected override bool ReleaseHandle()
    {
        NativeMethods.SessionDestroy(handle);
        device?.DangerousRelease();
        return true;
    }
}
