namespace NativeVaccine;

/// <summary>
/// Something that the user gave (a file, an option, a value) cannot be used. The message is one line for a person: what is wrong,
/// where, and what was expected. The command line prints it as it is and exits with a non-zero code.
/// </summary>
public class InputException : Exception
{
    /// <summary>An exception with a message for the user.</summary>
    public InputException(string message) : base(message) { }

    /// <summary>An exception with a message for the user and the cause, which is shown only on request.</summary>
    public InputException(string message, Exception innerException) : base(message, innerException) { }

    /// <summary>An exception without a message; use the others.</summary>
    public InputException() { }
}
