using NativeVaccine.Models;

namespace NativeVaccine.Tests.Models;

/// <summary>A model of a few hundred parameters, whose files are small enough to be damaged ten thousand times.</summary>
internal static class TinyModel
{
    public static ModelConfiguration Configuration { get; } = new()
    {
        Family = ModelFamily.Llama,
        VocabularySize = 5,
        HiddenSize = 4,
        IntermediateSize = 6,
        LayerCount = 1,
        HeadCount = 2,
        KeyValueHeadCount = 1,
        HeadSize = 2,
        MaximumPositions = 16,
        RmsNormEpsilon = 1e-5,
        BeginOfSequenceId = 1,
        EndOfSequenceIds = [2],
    };

    /// <summary>Writes the model; every element is a different small number.</summary>
    public static void Write(string folder, ModelConfiguration? configuration = null, long maximumShardBytes = long.MaxValue) =>
        ModelWriter.Write(folder, configuration ?? Configuration, new Ramp(), maximumShardBytes: maximumShardBytes);

    public static Adapter Adapter(ModelConfiguration? configuration = null, int rank = 2, params Projection[] targets)
    {
        var adapter = new Adapter(configuration ?? Configuration, rank, alpha: 3, dropout: 0.1, targets) { BaseModel = "tiny" };
        for (int layer = 0; layer < adapter.LayerCount; layer++)
        {
            foreach (Projection target in targets)
            {
                LoraMatrices matrices = adapter[layer, target];
                for (int i = 0; i < matrices.A.Length; i++) matrices.A[i] = 0.25f * (i + layer + 1);
                for (int i = 0; i < matrices.B.Length; i++) matrices.B[i] = 0.5f - (0.125f * i) + (int)target;
            }
        }
        return adapter;
    }

    /// <summary>Values that bf16 and fp16 hold exactly and that tell name and index.</summary>
    public sealed class Ramp : IWeightSource
    {
        public static float Value(string name, long index) => ((index + name.Length) % 61 * 0.125f) - 3;

        public void ReadFloat32(string name, Span<float> destination, long firstElement = 0)
        {
            for (int i = 0; i < destination.Length; i++) destination[i] = Value(name, firstElement + i);
        }
    }
}
