namespace NativeVaccine.Methods;

/// <summary>What a step's loss is the mean over, where gradients are accumulated.</summary>
public enum LossMean
{
    /// <summary>The micro-batches' means, however many labels each has: transformers before 4.46, and the papers' programs.</summary>
    Batch,

    /// <summary>All labels of the step, as if its micro-batches were one: transformers from 4.46 on.</summary>
    Tokens,
}
