namespace NativeVaccine.Engine;

/// <summary>
/// Some of a session's trainable tensors. Verbs on parameter vectors, gradients and the optimizer take one and touch nothing outside it.
/// It does not change.
/// </summary>
public sealed class TensorSet
{
    private readonly IReadOnlyList<ModelTensor> trainable;
    private readonly byte[] mask;

    internal TensorSet(IReadOnlyList<ModelTensor> trainable, Func<ModelTensor, bool> contains)
    {
        this.trainable = trainable;
        mask = [.. trainable.Select(tensor => contains(tensor) ? (byte)1 : (byte)0)];
        Tensors = [.. trainable.Where((_, index) => this[index])];
    }

    /// <summary>How many tensors are in the set.</summary>
    public int Count => Tensors.Count;

    /// <summary>They, in the order of computation.</summary>
    public IReadOnlyList<ModelTensor> Tensors { get; }

    /// <summary>One byte a trainable tensor.</summary>
    internal ReadOnlySpan<byte> Mask => mask;

    /// <summary>True if the trainable tensor with this number is in the set.</summary>
    public bool this[int trainableIndex] => mask[trainableIndex] != 0;

    /// <summary>The tensors that are in either set.</summary>
    public TensorSet Union(TensorSet other) => Combine(other, index => this[index] || other[index]);

    /// <summary>The tensors that are in both sets.</summary>
    public TensorSet Intersect(TensorSet other) => Combine(other, index => this[index] && other[index]);

    /// <summary>The tensors of this set that are not in the other.</summary>
    public TensorSet Except(TensorSet other) => Combine(other, index => this[index] && !other[index]);

    /// <exception cref="ArgumentException">The set belongs to another session.</exception>
    internal void RequireOf(IReadOnlyList<ModelTensor> sessionTrainable)
    {
        if (!ReferenceEquals(trainable, sessionTrainable)) throw new ArgumentException("the tensor set belongs to another session");
    }

    private TensorSet Combine(TensorSet other, Func<int, bool> contains)
    {
        other.RequireOf(trainable);
        return new TensorSet(trainable, tensor => contains(tensor.TrainableIndex!.Value));
    }
}
