using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace NativeVaccine.Interop;

internal static partial class NativeMethods
{
    [LibraryImport(Library, EntryPoint = "vaccine_vector_write"), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial NativeStatus VectorWrite(SessionHandle session, int vector, long first, long count, ReadOnlySpan<float> values);

    [LibraryImport(Library, EntryPoint = "vaccine_vector_read"), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial NativeStatus VectorRead(SessionHandle session, int vector, long first, long count, Span<float> values);

    [LibraryImport(Library, EntryPoint = "vaccine_vector_zero"), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial NativeStatus VectorZero(SessionHandle session, int vector, ReadOnlySpan<byte> tensors);

    [LibraryImport(Library, EntryPoint = "vaccine_vector_copy"), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial NativeStatus VectorCopy(SessionHandle session, int from, int to, ReadOnlySpan<byte> tensors);

    [LibraryImport(Library, EntryPoint = "vaccine_vector_scale"), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial NativeStatus VectorScale(SessionHandle session, int vector, float factor, ReadOnlySpan<byte> tensors);

    [LibraryImport(Library, EntryPoint = "vaccine_vector_axpy"), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial NativeStatus VectorAxpy(SessionHandle session, float alpha, int x, int y, ReadOnlySpan<byte> tensors);

    [LibraryImport(Library, EntryPoint = "vaccine_vector_scale_to_norm"), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial NativeStatus VectorScaleToNorm(
        SessionHandle session, int vector, float numerator, float epsilon, int scalar, ReadOnlySpan<byte> tensors);

    [LibraryImport(Library, EntryPoint = "vaccine_vector_axpy_to_norm"), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial NativeStatus VectorAxpyToNorm(
        SessionHandle session, float numerator, float epsilon, int scalar, int x, int y, ReadOnlySpan<byte> tensors);

    [LibraryImport(Library, EntryPoint = "vaccine_vector_multiply_add"), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial NativeStatus VectorMultiplyAdd(
        SessionHandle session, float alpha, int a, int b, int y, ReadOnlySpan<byte> tensors);

    [LibraryImport(Library, EntryPoint = "vaccine_vector_dot"), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial NativeStatus VectorDot(SessionHandle session, int x, int y, ReadOnlySpan<byte> tensors, int scalar);
}
