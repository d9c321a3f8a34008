using System.Runtime.CompilerServices;
using NativeVaccine.Interop;
using NativeVaccine.Models;

namespace NativeVaccine.Engine;

/// <summary>What the engine is told of a model.</summary>
internal static class ShapeOfModel
{
    private const int GlobalRope = 0;
    private const int LocalRope = 1;

    /// <summary>The layers, one by one; none if all are alike.</summary>
    public static NativeLayerShape[] Layers(ModelConfiguration configuration) =>
    [
        .. configuration.WindowedLayers.Select(isWindowed => new NativeLayerShape
        {
            StructSize = (uint)Unsafe.SizeOf<NativeLayerShape>(),
            Window = isWindowed ? configuration.SlidingWindow : 0,
            Rope = isWindowed && configuration.LocalRope is not null ? LocalRope : GlobalRope,
        }),
    ];

    /// <param name="configuration">The model.</param>
    /// <param name="activationType">What the engine computes in.</param>
    /// <param name="layers">Of <see cref="Layers"/>; null if there are none.</param>
    public static unsafe NativeModelShape Of(ModelConfiguration configuration, ElementType activationType, NativeLayerShape* layers)
    {
        RopeScaling scaling = configuration.RopeScaling;
        RotaryEmbedding local = configuration.LocalRope ?? new(0, RopeScaling.None);
        return new NativeModelShape
        {
            StructSize = (uint)Unsafe.SizeOf<NativeModelShape>(),
            Vocabulary = configuration.VocabularySize,
            Hidden = configuration.HiddenSize,
            Intermediate = configuration.IntermediateSize,
            Layers = configuration.LayerCount,
            Heads = configuration.HeadCount,
            KvHeads = configuration.KeyValueHeadCount,
            HeadSize = configuration.HeadSize,
            SlidingWindow = configuration.WindowedLayers.IsEmpty ? configuration.SlidingWindow : 0,
            TiedEmbeddings = configuration.TieWordEmbeddings ? 1 : 0,
            QkvBias = configuration.QueryKeyValueBias ? 1 : 0,
            OutputBias = configuration.OutputBias ? 1 : 0,
            MlpBias = configuration.MlpBias ? 1 : 0,
            RmsEpsilon = (float)configuration.RmsNormEpsilon,
            RopeScaling = Number(scaling),
            RopeTheta = configuration.RopeTheta,
            RopeFactor = Factor(scaling),
            RopeLowFrequencyFactor = scaling.LowFrequencyFactor,
            RopeHighFrequencyFactor = scaling.HighFrequencyFactor,
            RopeOriginalPositions = scaling.OriginalMaximumPositions,
            Activation = (int)configuration.Activation,
            NormOffset = configuration.Family.HasNormOffset ? 1 : 0,
            BlockOutputNorms = configuration.Family.HasBlockOutputNorms ? 1 : 0,
            QueryKeyNorms = configuration.Family.HasQueryKeyNorms ? 1 : 0,
            AttentionScale = configuration.QueryScalar is { } scalar ? (float)(1 / Math.Sqrt(scalar)) : 0,
            AttentionCap = (float)configuration.AttentionCap,
            LogitCap = (float)configuration.LogitCap,
            EmbeddingScale = configuration.Family.ScalesEmbedding ? EmbeddingScale(configuration.HiddenSize, activationType) : 0,
            LocalRopeScaling = Number(local.Scaling),
            LocalRopeTheta = local.Theta,
            LocalRopeFactor = Factor(local.Scaling),
            LocalRopeLowFrequencyFactor = local.Scaling.LowFrequencyFactor,
            LocalRopeHighFrequencyFactor = local.Scaling.HighFrequencyFactor,
            LocalRopeOriginalPositions = local.Scaling.OriginalMaximumPositions,
            LayerShapes = layers,
        };
    }

    /// <summary>The root of the hidden size; in bf16 rounded to it, as transformers does it and as such models were trained.</summary>
    private static float EmbeddingScale(int hiddenSize, ElementType activationType)
    {
        Span<float> scale = [(float)Math.Sqrt(hiddenSize)];
        if (activationType != ElementType.BFloat16) return scale[0];
        Span<byte> rounded = stackalloc byte[2];
        ElementConversion.FromFloat32(activationType, scale, rounded);
        ElementConversion.ToFloat32(activationType, rounded, scale);
        return scale[0];
    }

    private static int Number(RopeScaling scaling) => scaling.Kind switch
    {
        RopeScalingKind.None => 0,
        RopeScalingKind.Linear => 1,
        RopeScalingKind.Llama3 => 2,
        _ => throw new ArgumentException($"unknown rope scaling {scaling.Kind}", nameof(scaling)),
    };

    private static double Factor(RopeScaling scaling) => scaling.Kind == RopeScalingKind.None ? 1 : scaling.Factor;
}
