using System.Runtime.CompilerServices;
using NativeVaccine.Interop;
using NativeVaccine.Models;

namespace NativeVaccine.Engine;

/// <summary>
/// A model with all memory that it will ever use: weights, adapters, activations, gradients, site tensors. One thread at a time may use it.
/// Passes and verbs are queued in order; what gives numbers to the caller waits for them.
/// </summary>
public sealed partial class Session : IDisposable
{
    private const int FirstMoment = 2;
    private const int FirstExtraVector = 4;
    private readonly PassArithmetic arithmetic;
    private readonly SiteTensor[][] sites;
    private readonly ParameterVector[] extraVectors;

    private Session(SessionHandle handle, MemoryPlan plan)
    {
        (Handle, Plan) = (handle, plan);
        Scalars = new ScalarRing(handle);
        Tensors = ReadTensors(handle, plan.Configuration.Family);
        TrainableTensors = [.. Tensors.Where(static tensor => tensor.TrainableIndex is not null)];
        AllTensors = new TensorSet(TrainableTensors, static _ => true);
        arithmetic = new PassArithmetic(plan.Configuration, TrainableTensors);
        Parameters = new ParameterVector(this, 0);
        Gradients = new ParameterVector(this, 1);
        SessionOptions options = plan.Options;
        Optimizers = [.. Enumerable.Range(0, options.Training ? options.Optimizers : 0).Select(number =>
            new AdamW(this, number, number == 0 ? FirstMoment : FirstExtraVector + options.ExtraVectors + (2 * (number - 1))))];
        extraVectors = [.. Enumerable.Range(FirstExtraVector, options.ExtraVectors).Select(number => new ParameterVector(this, number))];
        sites = [.. Enum.GetValues<SiteKind>().Select(kind =>
            Enumerable.Range(0, options.Sites(kind).Tensors).Select(index => new SiteTensor(this, kind, index)).ToArray())];
        Decoder = new Decoder(this);
    }

    /// <summary>The model's configuration.</summary>
    public ModelConfiguration Configuration => Plan.Configuration;

    /// <summary>What the session was made from.</summary>
    public MemoryPlan Plan { get; }

    /// <summary>L.</summary>
    public int LayerCount => Configuration.LayerCount;

    /// <summary>All tensors, in the order of computation.</summary>
    public IReadOnlyList<ModelTensor> Tensors { get; }

    /// <summary>Those that train: LoRA's matrices, or all weights.</summary>
    public IReadOnlyList<ModelTensor> TrainableTensors { get; }

    /// <summary>All trainable tensors.</summary>
    public TensorSet AllTensors { get; }

    /// <summary>The trainable parameters themselves.</summary>
    public ParameterVector Parameters { get; }

    /// <summary>Their gradients.</summary>
    public ParameterVector Gradients { get; }

    /// <summary>The <see cref="SessionOptions.Optimizers"/>: each has moments and step counts of its own, all step the same parameters.</summary>
    public IReadOnlyList<AdamW> Optimizers { get; }

    /// <summary>The first of <see cref="Optimizers"/>, which steps the parameters.</summary>
    /// <exception cref="InvalidOperationException">The plan has none.</exception>
    public AdamW Optimizer => Optimizers.Count > 0
        ? Optimizers[0]
        : throw new InvalidOperationException("the session has no optimizer; expected SessionOptions.Optimizers of 1 or more");

    /// <summary>Continues prompts; needs <see cref="SessionOptions.DecodeSamples"/>.</summary>
    public Decoder Decoder { get; }

    /// <summary>Bytes taken from the device, and bytes of them in use; both are the plan's.</summary>
    public (long Taken, long Used) Memory
    {
        get
        {
            NativeMethods.SessionGetMemory(Handle, out long taken, out long used).ThrowIfFailed();
            return (taken, used);
        }
    }

    internal SessionHandle Handle { get; }

    internal ScalarRing Scalars { get; }

    /// <summary>Samples of the last forward pass.</summary>
    internal int LastSampleCount { get; private set; }

    /// <summary>Floating-point operations of all forward and backward passes so far, by arithmetic (<see cref="PassArithmetic"/>).</summary>
    internal double Flops { get; private set; }

    /// <summary>Takes the plan's memory, all zero, and nothing later. Weights are still to be loaded.</summary>
    /// <param name="device">The device that the plan was made for. It stays open as long as the session.</param>
    /// <param name="plan">May be disposed of afterwards.</param>
    /// <exception cref="EngineException"><see cref="EngineError.OutOfMemory"/>: the device has less than the plan needs.</exception>
    public static Session Create(Device device, MemoryPlan plan)
    {
        NativeStatus status = NativeMethods.SessionCreate(device.Handle, plan.Handle, out SessionHandle handle);
        if (status == NativeStatus.OutOfMemory && device.IsGpu)
            throw new EngineException(EngineError.OutOfMemory, $"{NativeMethods.LastErrorMessage()} (--device-memory)");
        status.ThrowIfFailed();
        try
        {
            handle.KeepOpen(device.Handle);
            return new Session(handle, plan);
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    /// <summary>The trainable tensors of some layers.</summary>
    /// <param name="layers">The layers.</param>
    /// <param name="projections">Only those of these projections; null for all tensors of the layers.</param>
    public TensorSet TensorsOf(LayerSet layers, IEnumerable<Projection>? projections = null)
    {
        HashSet<Projection>? chosen = projections?.ToHashSet();
        return new TensorSet(TrainableTensors, tensor => tensor.Layer is { } layer && layers.Contains(layer)
            && (chosen is null || (tensor.Projection is { } projection && chosen.Contains(projection))));
    }

    /// <summary>A parameter vector of the method's own; there are <see cref="SessionOptions.ExtraVectors"/> of them.</summary>
    public ParameterVector Extra(int index) => extraVectors[index];

    /// <summary>A site tensor of the plan's <see cref="SiteBudget"/>.</summary>
    public SiteTensor Site(SiteKind kind, int index = 0)
    {
        SiteTensor[] ofKind = sites[(int)kind];
        if ((uint)index < (uint)ofKind.Length) return ofKind[index];
        throw new ArgumentOutOfRangeException(nameof(index), index, $"the plan has {ofKind.Length} site tensors of kind {kind}");
    }

    /// <inheritdoc/>
    public void Dispose() => Handle.Dispose();

    internal int PointsOf(SiteKind kind) => LayerCount + (kind == SiteKind.Residual ? 1 : 0);

    /// <summary>The mask of a set; empty, which is all, for null.</summary>
    internal ReadOnlySpan<byte> Mask(TensorSet? set)
    {
        set?.RequireOf(TrainableTensors);
        return set is null ? [] : set.Mask;
    }

    internal int NumberOf(ParameterVector vector) =>
        vector.IsOf(this) ? vector.Number : throw new ArgumentException("the parameter vector belongs to another session");

    private static ModelTensor[] ReadTensors(SessionHandle handle, ModelFamily family)
    {
        NativeMethods.SessionGetTensorCount(handle, out int count, out _).ThrowIfFailed();
        var tensors = new ModelTensor[count];
        for (int index = 0; index < count; index++)
        {
            var info = new NativeTensorInfo { StructSize = (uint)Unsafe.SizeOf<NativeTensorInfo>() };
            NativeMethods.SessionGetTensor(handle, index, ref info).ThrowIfFailed();
            var kind = (TensorKind)info.Kind;
            tensors[index] = new ModelTensor(
                index,
                ModelTensor.NameOf(family, kind, info.Layer, (Projection)info.Projection),
                kind,
                info.Layer < 0 ? null : info.Layer,
                info.Projection < 0 ? null : (Projection)info.Projection,
                info.Rows,
                info.Columns,
                info.Trainable < 0 ? null : info.Trainable,
                info.Offset);
        }
        return tensors;
    }
}
