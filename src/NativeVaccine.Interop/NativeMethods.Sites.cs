using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace NativeVaccine.Interop;

internal static partial class NativeMethods
{
    [LibraryImport(Library, EntryPoint = "vaccine_site_select"), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial NativeStatus SiteSelect(SessionHandle session, int kind, int site, ReadOnlySpan<byte> layers);

    [LibraryImport(Library, EntryPoint = "vaccine_site_zero"), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial NativeStatus SiteZero(SessionHandle session, int kind, int site);

    [LibraryImport(Library, EntryPoint = "vaccine_site_fill_normal"), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial NativeStatus SiteFillNormal(
        SessionHandle session, int kind, int site, int tokens, float deviation, ulong seed, uint step);

    [LibraryImport(Library, EntryPoint = "vaccine_site_scale"), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial NativeStatus SiteScale(SessionHandle session, int kind, int site, float factor);

    [LibraryImport(Library, EntryPoint = "vaccine_site_axpy"), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial NativeStatus SiteAxpy(SessionHandle session, int kind, float alpha, int x, int y);

    [LibraryImport(Library, EntryPoint = "vaccine_site_dot"), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial NativeStatus SiteDot(SessionHandle session, int kind, int x, int y, int scalar);

    [LibraryImport(Library, EntryPoint = "vaccine_site_norms"), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial NativeStatus SiteNorms(SessionHandle session, int kind, int site, int firstScalar);

    [LibraryImport(Library, EntryPoint = "vaccine_site_scale_to_norm"), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial NativeStatus SiteScaleToNorm(
        SessionHandle session, int kind, int site, float numerator, float epsilon, int scalar);

    [LibraryImport(Library, EntryPoint = "vaccine_site_mask_rows"), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial NativeStatus SiteMaskRows(SessionHandle session, int kind, int site, ReadOnlySpan<byte> rows);

    [LibraryImport(Library, EntryPoint = "vaccine_site_gram"), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial NativeStatus SiteGram(SessionHandle session, int kind, int x, int y, long count, Span<double> gram);

    [LibraryImport(Library, EntryPoint = "vaccine_site_add_combination"), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial NativeStatus SiteAddCombination(
        SessionHandle session, int kind, int x, int y, long count, ReadOnlySpan<double> coefficients);

    [LibraryImport(Library, EntryPoint = "vaccine_site_write"), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial NativeStatus SiteWrite(
        SessionHandle session, int kind, int site, int layer, long count, ReadOnlySpan<float> values);

    [LibraryImport(Library, EntryPoint = "vaccine_site_read"), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial NativeStatus SiteRead(SessionHandle session, int kind, int site, int layer, long count, Span<float> values);
}
