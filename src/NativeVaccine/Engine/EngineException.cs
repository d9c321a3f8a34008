using NativeVaccine.Interop;

namespace NativeVaccine.Engine;

/// <summary>Why the engine refused or failed.</summary>
public enum EngineError
{
    /// <summary>A value is out of range or does not fit the plan.</summary>
    InvalidArgument = NativeStatus.InvalidArgument,

    /// <summary>The plan needs more memory than the limit, or the device has less than the plan needs.</summary>
    OutOfMemory = NativeStatus.OutOfMemory,

    /// <summary>This build or device cannot do it.</summary>
    Unsupported = NativeStatus.Unsupported,

    /// <summary>Calls came in an order that has no meaning, such as a backward pass without a forward pass.</summary>
    WrongState = NativeStatus.WrongState,

    /// <summary>The device failed; the session cannot be used any more.</summary>
    Device = NativeStatus.Device,

    /// <summary>A defect of the engine.</summary>
    Internal = NativeStatus.Internal,
}

/// <summary>A call of the engine failed. The message is one line: what was being done, what was found, and what was expected.</summary>
public sealed class EngineException : InputException
{
    /// <summary>A failure with the engine's message.</summary>
    public EngineException(EngineError error, string message) : base(message) => Error = error;

    /// <summary>An exception without a message; use the others.</summary>
    public EngineException() { }

    /// <summary>A defect of the engine with a message.</summary>
    public EngineException(string message) : this(EngineError.Internal, message) { }

    /// <summary>A defect of the engine with a message and a cause.</summary>
    public EngineException(string message, Exception innerException) : base(message, innerException) { }

    /// <summary>What kind of failure it was.</summary>
    public EngineError Error { get; } = EngineError.Internal;
}

/// <summary>From a native status to an exception.</summary>
internal static class NativeStatusCheck
{
    /// <summary>Throws the engine's message if a call failed; on the thread that made the call, before its next one.</summary>
    public static void ThrowIfFailed(this NativeStatus status)
    {
        if (status == NativeStatus.Ok) return;
        throw new EngineException((EngineError)status, NativeMethods.LastErrorMessage());
    }
}
