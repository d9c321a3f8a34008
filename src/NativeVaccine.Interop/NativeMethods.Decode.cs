using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace NativeVaccine.Interop;

internal static partial class NativeMethods
{
    [LibraryImport(Library, EntryPoint = "vaccine_decode_begin"), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial NativeStatus DecodeBegin(
        SessionHandle session, in NativeBatch prompts, in NativeSampling sampling, Span<int> tokens);

    [LibraryImport(Library, EntryPoint = "vaccine_decode_join"), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial NativeStatus DecodeJoin(
        SessionHandle session, in NativeBatch prompts, ReadOnlySpan<int> samples, in NativeSampling sampling, Span<int> tokens);

    [LibraryImport(Library, EntryPoint = "vaccine_decode_next"), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial NativeStatus DecodeNext(
        SessionHandle session,
        int count,
        ReadOnlySpan<int> samples,
        ReadOnlySpan<int> tokens,
        in NativeSampling sampling,
        Span<int> nextTokens);

    [LibraryImport(Library, EntryPoint = "vaccine_decode_extend"), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial NativeStatus DecodeExtend(
        SessionHandle session, in NativeBatch batch, ReadOnlySpan<int> samples, ReadOnlySpan<int> starts, out long labels);
}
