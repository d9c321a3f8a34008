using NativeVaccine.Interop;

namespace NativeVaccine.Engine;

/// <summary>
/// A float for every trainable parameter of a session: the parameters themselves, their gradients, AdamW's moments, and what a method keeps
/// besides. Its verbs are queued on the device. Where a verb takes a tensor set, it touches nothing outside it; null is all tensors.
/// A tensor lies at its <see cref="ModelTensor.Offset"/>, row by row; between tensors there may be a few elements that belong to none.
/// </summary>
public sealed class ParameterVector
{
    private readonly Session session;

    internal ParameterVector(Session session, int number)
    {
        this.session = session;
        Number = number;
    }

    /// <summary>Elements: <see cref="MemoryPlan.TrainableParameterCount"/>.</summary>
    public long Length => session.Plan.TrainableParameterCount;

    internal int Number { get; }

    /// <summary>this = 0.</summary>
    public void Zero(TensorSet? set = null) => NativeMethods.VectorZero(session.Handle, Number, session.Mask(set)).ThrowIfFailed();

    /// <summary>this = source.</summary>
    public void CopyFrom(ParameterVector source, TensorSet? set = null) =>
        NativeMethods.VectorCopy(session.Handle, session.NumberOf(source), Number, session.Mask(set)).ThrowIfFailed();

    /// <summary>this *= factor.</summary>
    public void Scale(float factor, TensorSet? set = null) =>
        NativeMethods.VectorScale(session.Handle, Number, factor, session.Mask(set)).ThrowIfFailed();

    /// <summary>this += alpha * x.</summary>
    public void Add(float alpha, ParameterVector x, TensorSet? set = null) =>
        NativeMethods.VectorAxpy(session.Handle, alpha, session.NumberOf(x), Number, session.Mask(set)).ThrowIfFailed();

    /// <summary>this *= numerator / (norm + epsilon), without waiting for the norm.</summary>
    /// <param name="numerator">What the norm becomes, if it is this vector's own.</param>
    /// <param name="norm">Taken by <see cref="Norm"/> of a vector of this session.</param>
    /// <param name="epsilon">Keeps the quotient finite.</param>
    /// <param name="set">The tensors that are scaled.</param>
    /// <exception cref="ArgumentException">The scalar is no norm, or another session's.</exception>
    public void ScaleToNorm(float numerator, Scalar norm, float epsilon = 1e-7f, TensorSet? set = null) => NativeMethods.VectorScaleToNorm(
        session.Handle, Number, numerator, epsilon, norm.SquareSlot(session.Scalars), session.Mask(set)).ThrowIfFailed();

    /// <summary>
    /// this += numerator / (norm + epsilon) * x, without waiting for the norm: Booster's step (arXiv 2409.01586), which goes a fixed
    /// length along a gradient that is still needed as it is.
    /// </summary>
    /// <param name="numerator">Length of the step, if the norm is that of x; negative to go against it.</param>
    /// <param name="x">What is added. It does not change.</param>
    /// <param name="norm">Taken by <see cref="Norm"/> of a vector of this session.</param>
    /// <param name="epsilon">Keeps the quotient finite.</param>
    /// <param name="set">The tensors that are added to.</param>
    /// <exception cref="ArgumentException">The scalar is no norm, or another session's; or x is.</exception>
    public void AddToNorm(float numerator, ParameterVector x, Scalar norm, float epsilon = 1e-7f, TensorSet? set = null) =>
        NativeMethods.VectorAxpyToNorm(
            session.Handle, numerator, epsilon, norm.SquareSlot(session.Scalars), session.NumberOf(x), Number, session.Mask(set))
            .ThrowIfFailed();

    /// <summary>this += alpha * a * b, element by element.</summary>
    public void MultiplyAdd(float alpha, ParameterVector a, ParameterVector b, TensorSet? set = null) => NativeMethods.VectorMultiplyAdd(
        session.Handle, alpha, session.NumberOf(a), session.NumberOf(b), Number, session.Mask(set)).ThrowIfFailed();

    /// <summary>The sum of the products of the elements.</summary>
    public Scalar Dot(ParameterVector other, TensorSet? set = null) => new(session.Scalars, QueueDot(other, set));

    /// <summary>The Euclidean norm.</summary>
    public Scalar Norm(TensorSet? set = null) => new(session.Scalars, QueueDot(this, set), squareRoot: true);

    /// <summary>Fills <paramref name="destination"/> with the elements from <paramref name="first"/> on. Waits.</summary>
    public void Read(Span<float> destination, long first = 0) =>
        NativeMethods.VectorRead(session.Handle, Number, first, destination.Length, destination).ThrowIfFailed();

    /// <summary>Sets the elements from <paramref name="first"/> on.</summary>
    public void Write(ReadOnlySpan<float> values, long first = 0) =>
        NativeMethods.VectorWrite(session.Handle, Number, first, values.Length, values).ThrowIfFailed();

    /// <summary>The elements of one tensor, row by row. Waits.</summary>
    /// <exception cref="ArgumentException">The tensor does not train.</exception>
    public float[] Read(ModelTensor tensor)
    {
        if (tensor.TrainableIndex is null) throw new ArgumentException($"{tensor.Name} does not train", nameof(tensor));
        float[] values = new float[tensor.ElementCount];
        Read(values, tensor.Offset);
        return values;
    }

    internal bool IsOf(Session other) => ReferenceEquals(session, other);

    private long QueueDot(ParameterVector other, TensorSet? set)
    {
        long position = session.Scalars.Take();
        int scalar = ScalarRing.Slot(position);
        NativeMethods.VectorDot(session.Handle, Number, session.NumberOf(other), session.Mask(set), scalar).ThrowIfFailed();
        return position;
    }
}
