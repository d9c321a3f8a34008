namespace NativeVaccine.Tests.Models;

/// <summary>Asserts that bad input is refused with one clear line.</summary>
internal static class Refusal
{
    /// <summary>The action must throw an <see cref="InputException"/> of one line with all of <paramref name="parts"/>.</summary>
    public static void Of(Action action, params string[] parts)
    {
        string message = Assert.Throws<InputException>(action).Message;
        Assert.DoesNotContain('\n', message);
        foreach (string part in parts) Assert.Contains(part, message, StringComparison.Ordinal);
    }
}
