using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace NativeVaccine.Interop;

// The structs of nativevaccine.h, field for field. EngineLayoutTests compares them with what the compiled library reports, by name:
// InputIds is input_ids.

/// <summary>An int for each vaccine_site_kind.</summary>
[InlineArray(Length)]
internal struct NativeSiteKinds
{
    public const int Length = 3;
    private int first;

    public static NativeSiteKinds All(int value)
    {
        var all = default(NativeSiteKinds);
        ((Span<int>)all).Fill(value);
        return all;
    }
}

[InlineArray(128)]
internal struct NativeText128
{
    private byte first;
}

[InlineArray(32)]
internal struct NativeText32
{
    private byte first;
}

[InlineArray(64)]
internal struct NativeText64
{
    private byte first;
}

[StructLayout(LayoutKind.Sequential)]
internal struct NativeDeviceInfo
{
    public uint StructSize;
    public int ComputeMajor;
    public int ComputeMinor;
    public int Threads;
    public long TotalBytes;
    public long FreeBytes;
    public int DriverVersion;
    public int RuntimeVersion;
    public int Gemm;
    public int Cublas;
    public NativeText32 Instructions;
    public NativeText128 Name;
}

[StructLayout(LayoutKind.Sequential)]
internal struct NativeLayerShape
{
    public uint StructSize;
    public int Window;
    public int Rope;
}

[StructLayout(LayoutKind.Sequential)]
internal unsafe struct NativeModelShape
{
    public uint StructSize;
    public int Vocabulary;
    public int Hidden;
    public int Intermediate;
    public int Layers;
    public int Heads;
    public int KvHeads;
    public int HeadSize;
    public int SlidingWindow;
    public int TiedEmbeddings;
    public int QkvBias;
    public int OutputBias;
    public int MlpBias;
    public float RmsEpsilon;
    public int RopeScaling;
    public double RopeTheta;
    public double RopeFactor;
    public double RopeLowFrequencyFactor;
    public double RopeHighFrequencyFactor;
    public double RopeOriginalPositions;
    public int Activation;
    public int NormOffset;
    public int BlockOutputNorms;
    public int QueryKeyNorms;
    public float AttentionScale;
    public float AttentionCap;
    public float LogitCap;
    public float EmbeddingScale;
    public int LocalRopeScaling;
    public double LocalRopeTheta;
    public double LocalRopeFactor;
    public double LocalRopeLowFrequencyFactor;
    public double LocalRopeHighFrequencyFactor;
    public double LocalRopeOriginalPositions;
    public NativeLayerShape* LayerShapes;
}

[StructLayout(LayoutKind.Sequential)]
internal struct NativePlanOptions
{
    public uint StructSize;
    public int MaxTokens;
    public int MaxSamples;
    public int LongestSample;
    public int WeightType;
    public int ActivationType;
    public int Training;
    public int Full;
    public int LoraRank;
    public uint LoraTargets;
    public float LoraAlpha;
    public float LoraDropout;
    public int Optimizers;
    public int ExtraVectors;
    public NativeSiteKinds SiteTensors;
    public NativeSiteKinds SiteLayers;
    public int HeadRows;
    public int TeacherRows;
    public int RecomputedLayers;
    public long MemoryLimit;
    public int DecodeSamples;
    public int DecodeCapacity;
}

[StructLayout(LayoutKind.Sequential)]
internal struct NativePlanItem
{
    public uint StructSize;
    public long Bytes;
    public NativeText64 Name;
}

[StructLayout(LayoutKind.Sequential)]
internal struct NativePlanSummary
{
    public uint StructSize;
    public int Items;
    public int RecomputedLayers;
    public int HeadRows;
    public long TotalBytes;
    public long Parameters;
    public long TrainableParameters;
}

[StructLayout(LayoutKind.Sequential)]
internal struct NativeTensorInfo
{
    public uint StructSize;
    public int Kind;
    public int Layer;
    public int Projection;
    public int Trainable;
    public long Rows;
    public long Columns;
    public long Offset;
}

[StructLayout(LayoutKind.Sequential)]
internal unsafe struct NativeBatch
{
    public uint StructSize;
    public int Tokens;
    public int Samples;
    public int* InputIds;
    public int* Labels;
    public int* Offsets;
}

[StructLayout(LayoutKind.Sequential)]
internal struct NativeLossHead
{
    public uint StructSize;
    public int Point;
    public int Kind;
    public int Norms;
    public int LossScalar;
    public float Weight;
}

[StructLayout(LayoutKind.Sequential)]
internal unsafe struct NativeForwardOptions
{
    public uint StructSize;
    public int Dropout;
    public ulong Seed;
    public uint Step;
    public uint Pass;
    public int ForBackward;
    public int FromLayer;
    public NativeSiteKinds RecordSite;
    public NativeSiteKinds AddSite;
    public int LossScalar;
    public int HeadCount;
    public NativeLossHead* Heads;
    public int RecordTeacher;
    public int AdapterOff;
}

[StructLayout(LayoutKind.Sequential)]
internal unsafe struct NativeBackwardOptions
{
    public uint StructSize;
    public float LossScale;
    public int GradientVector;
    public int Floor;
    public byte* Tensors;
    public NativeSiteKinds ReadSite;
    public NativeSiteKinds AddSite;
    public NativeSiteKinds NormScalar;
}

[StructLayout(LayoutKind.Sequential)]
internal unsafe struct NativeAdamWOptions
{
    public uint StructSize;
    public int Optimizer;
    public int GradientVector;
    public double LearningRate;
    public double Beta1;
    public double Beta2;
    public double Epsilon;
    public double WeightDecay;
    public float Clip;
    public int NormScalar;
    public byte* Tensors;
}

[StructLayout(LayoutKind.Sequential)]
internal unsafe struct NativeSampling
{
    public uint StructSize;
    public float Temperature;
    public int TopK;
    public float TopP;
    public float RepetitionPenalty;
    public ulong Seed;
    public ulong* Seeds;
}
