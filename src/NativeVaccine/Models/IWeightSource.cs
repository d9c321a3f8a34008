namespace NativeVaccine.Models;

/// <summary>
/// Gives the values of a model's weights by their Hugging Face names: a folder, a folder with adapters merged, a trained model. Several
/// weights may be read at once by several threads, each of them from its first element on by one.
/// </summary>
public interface IWeightSource
{
    /// <summary>Reads a run of elements of a weight, in row-major order.</summary>
    /// <param name="name">For example <c>model.layers.0.self_attn.q_proj.weight</c>.</param>
    /// <param name="destination">Filled whole.</param>
    /// <param name="firstElement">Index of the first element to read.</param>
    /// <exception cref="InputException">The weight is missing or cannot be read.</exception>
    void ReadFloat32(string name, Span<float> destination, long firstElement = 0);

    /// <summary>The same as bf16, where the weight is one of bf16 and its values need no conversion.</summary>
    /// <returns>False, with nothing read, where it is not.</returns>
    /// <exception cref="InputException">The weight is missing or cannot be read.</exception>
    bool TryReadBFloat16(string name, Span<ushort> destination, long firstElement = 0) => false;
}
