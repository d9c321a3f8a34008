namespace NativeVaccine.Interop;

/// <summary>
/// The functions of nativevaccine.h. All imports name one library; <see cref="EngineLibrary"/> decides which file stands behind the name,
/// and must have loaded it before the first call.
/// </summary>
internal static partial class NativeMethods
{
    public const string Library = "nativevaccine";
}
