using System.Runtime.CompilerServices;
using NativeVaccine.Interop;

namespace NativeVaccine.Engine;

public sealed partial class Session
{
    private int lastTokenCount;
    private long lastLabelCount;
    private ForwardOptions lastForward = new();

    /// <summary>Does something with a batch in the engine's form, which lives only as long as the call.</summary>
    internal delegate void BatchAction(in NativeBatch batch);

    /// <summary>Runs a batch through the model. What a plan has room for, it does without taking memory.</summary>
    /// <param name="batch">At most as large as the plan says.</param>
    /// <param name="options">What to do besides; null for the loss alone.</param>
    /// <param name="cancellation">Ends the pass early; what the session holds of it cannot be used then.</param>
    /// <returns>The loss, unread.</returns>
    /// <exception cref="EngineException">
    /// The batch does not fit the plan, a token is not in the vocabulary, a head cannot be, or there is no teacher of as many rows
    /// (<see cref="EngineError.WrongState"/>); nothing is done.
    /// </exception>
    /// <exception cref="ArgumentException">Two site tensors of one kind, or one of another session.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public unsafe PassResult Forward(Batch batch, ForwardOptions? options = null, CancellationToken cancellation = default)
    {
        options ??= new ForwardOptions();
        Scalar? loss = batch.HasLabels ? new Scalar(Scalars, Scalars.Take()) : null;
        Scalar[] headLosses = loss is null ? [] : [.. (options.Heads ?? []).Select(_ => new Scalar(Scalars, Scalars.Take()))];
        long labels = 0;
        fixed (NativeLossHead* heads = NativeHeads(options.Heads, headLosses))
        {
            var native = new NativeForwardOptions
            {
                StructSize = (uint)Unsafe.SizeOf<NativeForwardOptions>(),
                Dropout = options.Dropout ? 1 : 0,
                Seed = options.Seed,
                Step = options.Step,
                Pass = options.Pass,
                ForBackward = options.ForBackward ? 1 : 0,
                FromLayer = options.FromLayer,
                RecordSite = SiteNumbers(options.Record),
                AddSite = SiteNumbers(options.Add),
                LossScalar = loss is null ? -1 : ScalarRing.Slot(loss.Position),
                HeadCount = options.Heads?.Count ?? 0,
                Heads = heads,
                RecordTeacher = options.RecordTeacher ? 1 : 0,
                AdapterOff = options.AdapterOff ? 1 : 0,
            };
            WithNativeBatch(batch, (in NativeBatch nativeBatch) =>
            {
                NativeBatch given = nativeBatch;
                RunPass(() => NativeMethods.SessionForward(Handle, given, native, out labels), cancellation);
            });
        }
        lastLabelCount = labels;
        lastTokenCount = batch.TokenCount;
        lastForward = options;
        Flops += arithmetic.Forward(lastTokenCount, lastLabelCount, options);
        LastSampleCount = batch.SampleCount;
        foreach (SiteTensor site in options.Record) site.TokenCount = lastTokenCount;
        return new PassResult(labels, loss, headLosses);
    }

    /// <summary>The backward pass of the last forward pass, once.</summary>
    /// <param name="options">What to compute.</param>
    /// <param name="cancellation">Ends the pass early; gradients may then be added in part.</param>
    /// <returns>The norms that <see cref="BackwardOptions.NormsOf"/> asked for, unread; null if it did not.</returns>
    /// <exception cref="EngineException"><see cref="EngineError.WrongState"/>: no forward pass with ForBackward came before.</exception>
    /// <exception cref="ArgumentException">Two site tensors of one kind, or one, or a vector or set, of another session.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public unsafe SiteNorms? Backward(BackwardOptions options, CancellationToken cancellation = default)
    {
        SiteNorms? norms = null;
        NativeSiteKinds normScalars = NativeSiteKinds.All(-1);
        if (options.NormsOf is { } kind)
        {
            int points = PointsOf(kind);
            long position = Scalars.Take(points);
            normScalars[(int)kind] = ScalarRing.Slot(position);
            LayerSet layers = LayerSet.Of(Enumerable.Range(0, points).Where(point => point >= options.Floor));
            norms = new SiteNorms(Scalars, position, layers, points, hasTotal: false);
        }
        fixed (byte* mask = Mask(options.Tensors))
        {
            var native = new NativeBackwardOptions
            {
                StructSize = (uint)Unsafe.SizeOf<NativeBackwardOptions>(),
                LossScale = options.LossScale,
                GradientVector = options.Gradients is null ? -1 : NumberOf(options.Gradients),
                Floor = options.Floor,
                Tensors = mask,
                ReadSite = SiteNumbers(options.Read),
                AddSite = SiteNumbers(options.Add),
                NormScalar = normScalars,
            };
            RunPass(() => NativeMethods.SessionBackward(Handle, native), cancellation);
        }
        Flops += arithmetic.Backward(lastTokenCount, lastLabelCount, lastForward, options, TrainableTensors);
        foreach (SiteTensor site in options.Read) site.TokenCount = lastTokenCount;
        return norms;
    }

    /// <summary>
    /// Runs texts that begin alike without reading the beginning again: each sample of the batch goes on behind what the cache of keys and
    /// values has. <see cref="ReadLosses"/> and <see cref="ReadLogits"/> follow as after <see cref="Forward"/>; no backward pass can.
    /// </summary>
    /// <param name="batch">What goes on. A sample's first token has no label: begin one position earlier to learn how likely a token is there.</param>
    /// <param name="slots">For each sample its number in the cache, ascending, below <see cref="SessionOptions.DecodeSamples"/>.</param>
    /// <param name="starts">For each sample how many positions of the cache it stands behind; what was behind them is forgotten.</param>
    /// <param name="cancellation">Ends the pass early; what the cache holds cannot be used then.</param>
    /// <exception cref="EngineException">The batch does not fit the plan or what the cache holds; nothing is done.</exception>
    /// <exception cref="ArgumentException">There are not as many slots and starts as samples.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public void Extend(Batch batch, int[] slots, int[] starts, CancellationToken cancellation = default)
    {
        if (slots.Length != batch.SampleCount || starts.Length != batch.SampleCount)
            throw new ArgumentException($"{slots.Length} slots and {starts.Length} starts; expected {batch.SampleCount} as samples");
        long labels = 0;
        WithNativeBatch(batch, (in NativeBatch nativeBatch) =>
        {
            NativeBatch given = nativeBatch;
            RunPass(() => NativeMethods.DecodeExtend(Handle, given, slots, starts, out labels), cancellation);
        });
        lastLabelCount = labels;
        lastTokenCount = batch.TokenCount;
        LastSampleCount = batch.SampleCount;
    }

    /// <summary>Losses in nats of the labelled rows of the last forward pass, weighted over its heads, in token order. Waits.</summary>
    public float[] ReadLosses()
    {
        float[] losses = new float[lastLabelCount];
        NativeMethods.SessionReadLosses(Handle, losses.Length, losses).ThrowIfFailed();
        return losses;
    }

    /// <summary>
    /// Logits of tokens of the last forward pass, whether or not they carry labels. Waits. They take the place of what a backward pass
    /// needs, so none can follow.
    /// </summary>
    /// <param name="firstRow">The first token, counted through the batch.</param>
    /// <param name="rows">How many tokens.</param>
    /// <param name="destination">(rows, V), row by row.</param>
    /// <exception cref="ArgumentException">The destination is not rows times V long.</exception>
    public void ReadLogits(int firstRow, int rows, Span<float> destination)
    {
        long expected = (long)rows * Configuration.VocabularySize;
        if (destination.Length != expected)
            throw new ArgumentException($"{destination.Length} places for logits; expected {expected}", nameof(destination));
        NativeMethods.SessionReadLogits(Handle, firstRow, rows, destination).ThrowIfFailed();
    }

    /// <summary>Runs a pass, which a cancellation ends within a fraction of a second.</summary>
    internal void RunPass(Func<NativeStatus> pass, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        try
        {
            NativeStatus status;
            using (cancellation.UnsafeRegister(static handle => NativeMethods.SessionInterrupt((SessionHandle)handle!, 1), Handle))
                status = pass();
            if (status == NativeStatus.Interrupted) throw new OperationCanceledException(cancellation);
            status.ThrowIfFailed();
        }
        finally
        {
            if (cancellation.IsCancellationRequested) NativeMethods.SessionInterrupt(Handle, 0);
        }
    }

    internal static unsafe void WithNativeBatch(Batch batch, BatchAction action)
    {
        fixed (int* inputIds = batch.InputIds, labels = batch.Labels, offsets = batch.Offsets)
        {
            action(new NativeBatch
            {
                StructSize = (uint)Unsafe.SizeOf<NativeBatch>(),
                Tokens = batch.TokenCount,
                Samples = batch.SampleCount,
                InputIds = inputIds,
                Labels = labels,
                Offsets = offsets,
            });
        }
    }

    /// <summary>A list in the engine's form; one of no heads has an element all the same, as only an array without any is NULL.</summary>
    private static NativeLossHead[]? NativeHeads(IReadOnlyList<LossHead>? heads, Scalar[] losses)
    {
        if (heads is null) return null;
        var native = new NativeLossHead[Math.Max(1, heads.Count)];
        foreach ((int index, LossHead head) in heads.Index())
        {
            native[index] = new NativeLossHead
            {
                StructSize = (uint)Unsafe.SizeOf<NativeLossHead>(),
                Point = head.Point,
                Kind = (int)head.Kind,
                Norms = head.Norms,
                LossScalar = losses.Length == 0 ? -1 : ScalarRing.Slot(losses[index].Position),
                Weight = head.Weight,
            };
        }
        return native;
    }

    private NativeSiteKinds SiteNumbers(IReadOnlyList<SiteTensor> tensors)
    {
        NativeSiteKinds numbers = NativeSiteKinds.All(-1);
        foreach (SiteTensor tensor in tensors)
        {
            if (!tensor.IsOf(this)) throw new ArgumentException("the site tensor belongs to another session");
            if (numbers[(int)tensor.Kind] >= 0)
                throw new ArgumentException($"two site tensors of kind {tensor.Kind}; expected at most one");
            numbers[(int)tensor.Kind] = tensor.Index;
        }
        return numbers;
    }
}
