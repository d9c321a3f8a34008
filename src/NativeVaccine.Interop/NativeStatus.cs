namespace NativeVaccine.Interop;

/// <summary>vaccine_status.</summary>
internal enum NativeStatus
{
    Ok = 0,
    InvalidArgument = 1,
    OutOfMemory = 2,
    Unsupported = 3,
    WrongState = 4,
    Device = 5,
    Internal = 6,
    Interrupted = 7,
}

/// <summary>No engine library that can be used was found, or it cannot describe its devices; the message is for the user.</summary>
internal sealed class NativeLibraryException(string message) : Exception(message);
