namespace NativeVaccine.Data;

/// <summary>
/// Where samples come from. Every stream has an order and random numbers of its own, so that what a method takes from one changes nothing
/// in another.
/// </summary>
public enum SampleKind
{
    /// <summary>What the model learns: <c>--data</c>. Its samples decide how many steps a run has.</summary>
    Training,

    /// <summary>Harmful samples.</summary>
    Harmful,

    /// <summary>Samples that keep a fine-tuned model safe.</summary>
    Guide,

    /// <summary>Samples by which the importance of weights is measured.</summary>
    Fisher,

    /// <summary>Harmful samples that are kept out of the stream of harmful samples.</summary>
    HeldOut,
}

/// <summary>What is said of a <see cref="SampleKind"/>.</summary>
internal static class SampleKinds
{
    /// <summary>Its name in messages and checkpoints.</summary>
    public static string Word(this SampleKind kind) => kind.ToString().ToLowerInvariant();
}
