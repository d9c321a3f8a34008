using System.Buffers;
using System.Runtime.InteropServices;
using NativeVaccine.Interop;
using NativeVaccine.Models;
using NativeVaccine.Numerics;

namespace NativeVaccine.Engine;

public sealed partial class Session
{
    /// <summary>Elements that stream through the host at a time, on each thread: few enough to stay in its cache.</summary>
    private const int ChunkSize = 1 << 17;

    /// <summary>Loads the model's own weights, which stream through in pieces; adapters are not touched.</summary>
    /// <param name="weights">Where they come from.</param>
    /// <param name="progress">Told the part that is done, from 0 to 1.</param>
    /// <param name="cancellation">Looked at before every piece.</param>
    /// <exception cref="InputException">A tensor is missing, or holds NaN or infinity; the message names tensor and element.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public void Load(IWeightSource weights, IProgress<double>? progress = null, CancellationToken cancellation = default)
    {
        long loaded = 0;
        var gate = new Lock();
        // Reading, converting and checking goes on several threads; the engine takes one piece after the other.
        Workers.ForEach(
            Tensors.Where(static tensor => !tensor.IsAdapter),
            tensor => Load(tensor, weights, Report, cancellation),
            cancellation);

        void Report(int count)
        {
            lock (gate) progress?.Report((double)(loaded += count) / Plan.ParameterCount);
        }
    }

    private void Load(ModelTensor tensor, IWeightSource weights, Action<int> report, CancellationToken cancellation)
    {
        float[] chunk = ArrayPool<float>.Shared.Rent(ChunkSize);
        try
        {
            for (long first = 0; first < tensor.ElementCount; first += ChunkSize)
            {
                cancellation.ThrowIfCancellationRequested();
                Span<float> values = chunk.AsSpan(0, (int)Math.Min(ChunkSize, tensor.ElementCount - first));
                Load(tensor, weights, values, first);
                report(values.Length);
            }
        }
        finally
        {
            ArrayPool<float>.Shared.Return(chunk);
        }
    }

    private void Load(ModelTensor tensor, IWeightSource weights, Span<float> values, long first)
    {
        Span<ushort> stored = MemoryMarshal.Cast<float, ushort>(values)[..values.Length];
        if (weights.TryReadBFloat16(tensor.Name, stored, first))
        {
            NativeMethods.SessionWriteTensorBFloat16(Handle, tensor.Index, first, stored.Length, stored).ThrowIfFailed();
            return;
        }
        weights.ReadFloat32(tensor.Name, values, first);
        FiniteCheck.Require(values, "model", tensor.Name, first);
        NativeMethods.SessionWriteTensor(Handle, tensor.Index, first, values.Length, values).ThrowIfFailed();
    }

    /// <summary>
    /// Starts the adapters as PEFT does: A uniform between -1/sqrt(inputs) and 1/sqrt(inputs), B zero, so that nothing is changed yet. The
    /// numbers depend on the seed and on the place of the tensor alone.
    /// </summary>
    public void InitializeAdapter(ulong seed)
    {
        RequireLora();
        Parameters.Zero();
        foreach (ModelTensor tensor in TrainableTensors.Where(static tensor => tensor.Kind == TensorKind.LoraA))
        {
            ulong place = ((ulong)tensor.Layer!.Value * (ulong)Projections.All.Count) + (ulong)tensor.Projection!.Value;
            var random = new PhiloxStream(seed, RandomPurpose.AdapterInitialization, place);
            double bound = 1 / Math.Sqrt(tensor.Columns);
            float[] values = new float[tensor.ElementCount];
            for (int i = 0; i < values.Length; i++) values[i] = (float)(((2 * random.NextDouble()) - 1) * bound);
            Parameters.Write(values, tensor.Offset);
        }
    }

    /// <summary>Sets the adapters that train.</summary>
    /// <exception cref="InputException">The adapter's rank, alpha or targets are not those of the plan.</exception>
    public void LoadAdapter(Adapter adapter)
    {
        LoraOptions lora = RequireLora();
        UniformLora form = adapter.RequireUniform("the adapter");
        RequireSame("rank", form.Rank, lora.Rank);
        RequireSame("alpha", (float)form.Alpha, lora.Alpha);
        RequireSame("targets", Names(form.Targets), Names(lora.Targets));
        RequireSame("layers", adapter.LayerCount, LayerCount);
        foreach (ModelTensor tensor in TrainableTensors) Parameters.Write(Values(adapter, tensor), tensor.Offset);
    }

    /// <summary>The adapters as they are now.</summary>
    /// <param name="baseModel">What the adapter's files shall name as the model that it belongs to.</param>
    public Adapter SaveAdapter(string? baseModel = null)
    {
        LoraOptions lora = RequireLora();
        var adapter = new Adapter(Configuration, lora.Rank, lora.Alpha, lora.Dropout, lora.Targets) { BaseModel = baseModel };
        foreach (ModelTensor tensor in TrainableTensors) Parameters.Read(Values(adapter, tensor), tensor.Offset);
        return adapter;
    }

    /// <summary>The model's own weights as they are now: after training them all, the trained ones.</summary>
    public WeightSnapshot SnapshotWeights()
    {
        var weights = new Dictionary<string, float[]>(StringComparer.Ordinal);
        foreach (ModelTensor tensor in Tensors.Where(static tensor => !tensor.IsAdapter))
        {
            float[] values = new float[tensor.ElementCount];
            NativeMethods.SessionReadTensor(Handle, tensor.Index, 0, values.Length, values).ThrowIfFailed();
            weights.Add(tensor.Name, values);
        }
        return new WeightSnapshot(weights);
    }

    private static float[] Values(Adapter adapter, ModelTensor tensor)
    {
        LoraMatrices matrices = adapter[tensor.Layer!.Value, tensor.Projection!.Value];
        return tensor.Kind == TensorKind.LoraA ? matrices.A : matrices.B;
    }

    private static string Names(IEnumerable<Projection> targets) =>
        string.Join(", ", targets.Order().Select(static target => target.HuggingFaceName()));

    private static void RequireSame<T>(string what, T found, T expected)
    {
        if (!EqualityComparer<T>.Default.Equals(found, expected))
            throw new InputException(FormattableString.Invariant($"the adapter's {what}: {found}; the session was planned for {expected}"));
    }

    private LoraOptions RequireLora() =>
        Plan.Options.Lora ?? throw new InvalidOperationException("the session has no adapters; expected SessionOptions.Lora");
}
