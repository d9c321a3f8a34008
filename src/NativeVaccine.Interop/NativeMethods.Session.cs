using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace NativeVaccine.Interop;

internal static partial class NativeMethods
{
    [LibraryImport(Library, EntryPoint = "vaccine_session_create"), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial NativeStatus SessionCreate(DeviceHandle device, PlanHandle plan, out SessionHandle session);

    [LibraryImport(Library, EntryPoint = "vaccine_session_destroy"), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial void SessionDestroy(nint session);

    [LibraryImport(Library, EntryPoint = "vaccine_session_interrupt"), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial NativeStatus SessionInterrupt(SessionHandle session, int on);

    [LibraryImport(Library, EntryPoint = "vaccine_session_get_memory"), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial NativeStatus SessionGetMemory(SessionHandle session, out long taken, out long used);

    [LibraryImport(Library, EntryPoint = "vaccine_session_get_tensor_count"), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial NativeStatus SessionGetTensorCount(SessionHandle session, out int tensors, out int trainable);

    [LibraryImport(Library, EntryPoint = "vaccine_session_get_tensor"), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial NativeStatus SessionGetTensor(SessionHandle session, int index, ref NativeTensorInfo info);

    [LibraryImport(Library, EntryPoint = "vaccine_session_write_tensor"), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial NativeStatus SessionWriteTensor(
        SessionHandle session, int index, long first, long count, ReadOnlySpan<float> values);

    [LibraryImport(Library, EntryPoint = "vaccine_session_write_tensor_bf16"), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial NativeStatus SessionWriteTensorBFloat16(
        SessionHandle session, int index, long first, long count, ReadOnlySpan<ushort> values);

    [LibraryImport(Library, EntryPoint = "vaccine_session_read_tensor"), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial NativeStatus SessionReadTensor(SessionHandle session, int index, long first, long count, Span<float> values);
}
