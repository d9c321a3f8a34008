using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace NativeVaccine.Interop;

internal static partial class NativeMethods
{
    [LibraryImport(Library, EntryPoint = "vaccine_session_forward"), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial NativeStatus SessionForward(
        SessionHandle session, in NativeBatch batch, in NativeForwardOptions options, out long labels);

    [LibraryImport(Library, EntryPoint = "vaccine_session_backward"), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial NativeStatus SessionBackward(SessionHandle session, in NativeBackwardOptions options);

    [LibraryImport(Library, EntryPoint = "vaccine_session_read_losses"), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial NativeStatus SessionReadLosses(SessionHandle session, long count, Span<float> losses);

    [LibraryImport(Library, EntryPoint = "vaccine_session_read_logits"), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial NativeStatus SessionReadLogits(SessionHandle session, int firstRow, int rows, Span<float> logits);
}
