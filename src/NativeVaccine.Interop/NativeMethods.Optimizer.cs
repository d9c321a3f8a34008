using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace NativeVaccine.Interop;

internal static partial class NativeMethods
{
    [LibraryImport(Library, EntryPoint = "vaccine_adamw_step"), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial NativeStatus AdamWStep(SessionHandle session, in NativeAdamWOptions options);

    [LibraryImport(Library, EntryPoint = "vaccine_adamw_read_steps"), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial NativeStatus AdamWReadSteps(SessionHandle session, int optimizer, int count, Span<long> steps);

    [LibraryImport(Library, EntryPoint = "vaccine_adamw_write_steps"), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial NativeStatus AdamWWriteSteps(SessionHandle session, int optimizer, int count, ReadOnlySpan<long> steps);

    [LibraryImport(Library, EntryPoint = "vaccine_adamw_reset"), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial NativeStatus AdamWReset(SessionHandle session, int optimizer);
}
