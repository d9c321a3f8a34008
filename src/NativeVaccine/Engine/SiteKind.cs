namespace NativeVaccine.Engine;

/// <summary>A kind of point in the network where a pass can be read and disturbed; with a layer it makes a site.</summary>
public enum SiteKind
{
    /// <summary>
    /// What attention adds to the residual stream: after the output projection and its adapter, before the add. The papers call it the
    /// embedding of the layer (T-Vaccine, arXiv 2410.09760).
    /// </summary>
    AttentionOutput = 0,

    /// <summary>What the MLP adds to the residual stream: after the down projection and its adapter, before the add.</summary>
    MlpOutput = 1,

    /// <summary>The residual stream, at L + 1 points: point l enters layer l, point L leaves the last layer.</summary>
    Residual = 2,
}
