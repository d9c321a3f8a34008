using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace NativeVaccine.Interop;

internal static unsafe partial class NativeMethods
{
    /// <summary>What the last call on this thread that failed says to users.</summary>
    public static string LastErrorMessage() => EngineMessage.ForUsers(LibraryText(LastErrorMessagePointer()));

    public static string BuildDescription() => LibraryText(BuildDescriptionPointer());

    public static string AbiLayout() => LibraryText(AbiLayoutPointer());

    // Text that the library owns: the generated marshalling of a string return would free it.
    private static string LibraryText(byte* text) => Marshal.PtrToStringUTF8((nint)text) ?? "";

    [LibraryImport(Library, EntryPoint = "vaccine_last_error_message"), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    private static partial byte* LastErrorMessagePointer();

    [LibraryImport(Library, EntryPoint = "vaccine_build_description"), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    private static partial byte* BuildDescriptionPointer();

    [LibraryImport(Library, EntryPoint = "vaccine_abi_layout"), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    private static partial byte* AbiLayoutPointer();
}
