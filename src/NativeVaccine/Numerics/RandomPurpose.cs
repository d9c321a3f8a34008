namespace NativeVaccine.Numerics;

/// <summary>What a stream of random numbers is for. Streams of different purposes are independent; a number, once given, stays.</summary>
internal static class RandomPurpose
{
    /// <summary>The order of the training samples in an epoch.</summary>
    public const uint SampleOrder = 1;

    /// <summary>The order in which the harmful pool is walked.</summary>
    public const uint HarmfulPoolOrder = 2;

    /// <summary>LoRA's A before training; the step is layer * 7 + projection.</summary>
    public const uint AdapterInitialization = 3;

    /// <summary>T-Vaccine's choice of layers; the step is that of the run.</summary>
    public const uint LayerChoice = 4;

    /// <summary>The order in which the guide pool is walked.</summary>
    public const uint GuidePoolOrder = 5;

    /// <summary>The order in which the Fisher pool is walked.</summary>
    public const uint FisherPoolOrder = 6;

    /// <summary>The order in which the samples that are held out are walked.</summary>
    public const uint HeldOutPoolOrder = 7;

    /// <summary>Where the search for singular vectors begins; seed and step are 0.</summary>
    public const uint SingularVectors = 8;

    /// <summary>Which harmful (step 0) and benign (1) records are mixed, and their order (2).</summary>
    public const uint PoisonMix = 9;

    /// <summary>Which answers of an evaluation are drawn again for an interval; the step is the number of the draw.</summary>
    public const uint Bootstrap = 10;
}
