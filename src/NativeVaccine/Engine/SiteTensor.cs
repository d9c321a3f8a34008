using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using NativeVaccine.Interop;

namespace NativeVaccine.Engine;

/// <summary>
/// A float tensor (tokens, hidden) for each of some layers at a kind of site: what a pass recorded there, or what it is to add there. The
/// tokens are those of the pass that last wrote it, or of <see cref="Fill"/>. Its verbs are queued on the device.
/// </summary>
public sealed class SiteTensor
{
    private readonly Session session;
    private readonly int points;

    internal SiteTensor(Session session, SiteKind kind, int index)
    {
        this.session = session;
        (Kind, Index) = (kind, index);
        points = session.PointsOf(kind);
    }

    /// <summary>Which kind of site.</summary>
    public SiteKind Kind { get; }

    /// <summary>The layers (or residual points) that it holds now: those of the last <see cref="Select"/>.</summary>
    public LayerSet Layers { get; private set; } = LayerSet.Empty;

    /// <summary>Rows of each layer: the tokens of the pass that last wrote it, or of <see cref="Fill"/>; 0 before.</summary>
    public int TokenCount { get; internal set; }

    internal int Index { get; }

    /// <summary>Chooses the layers that it holds from now on. Contents are undefined until they are written.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The model has no such layer.</exception>
    /// <exception cref="EngineException">More layers than the plan has room for.</exception>
    public void Select(LayerSet layers)
    {
        if (layers.Count > 0 && layers.Last() >= points)
            throw new ArgumentOutOfRangeException(nameof(layers), layers.Last(), $"expected layers from 0 to {points - 1}");
        NativeMethods.SiteSelect(session.Handle, (int)Kind, Index, layers.Mask(points)).ThrowIfFailed();
        Layers = layers;
    }

    /// <summary>this = 0, with the rows that it has.</summary>
    public void Zero() => NativeMethods.SiteZero(session.Handle, (int)Kind, Index).ThrowIfFailed();

    /// <summary>this = 0, with so many rows.</summary>
    /// <param name="tokens">Rows of each layer from now on.</param>
    public void Zero(int tokens) => Fill(0, seed: 0, step: 0, tokens);

    /// <summary>this = deviation * N(0, 1); the same numbers for the same seed, step, layer and element on every device.</summary>
    /// <param name="deviation">Standard deviation.</param>
    /// <param name="seed">Seed of the run.</param>
    /// <param name="step">Step of the run.</param>
    /// <param name="tokens">Rows of each layer from now on: the tokens of the batch that it will be added to.</param>
    public void Fill(float deviation, ulong seed, uint step, int tokens)
    {
        NativeMethods.SiteFillNormal(session.Handle, (int)Kind, Index, tokens, deviation, seed, step).ThrowIfFailed();
        TokenCount = tokens;
    }

    /// <summary>this *= factor.</summary>
    public void Scale(float factor) => NativeMethods.SiteScale(session.Handle, (int)Kind, Index, factor).ThrowIfFailed();

    /// <summary>this += alpha * x, on the layers that both hold.</summary>
    public void Add(float alpha, SiteTensor x)
    {
        RequireAlike(x);
        NativeMethods.SiteAxpy(session.Handle, (int)Kind, alpha, x.Index, Index).ThrowIfFailed();
    }

    /// <summary>The sum of the products of the elements, over the layers that both hold.</summary>
    public Scalar Dot(SiteTensor other)
    {
        RequireAlike(other);
        long position = session.Scalars.Take();
        NativeMethods.SiteDot(session.Handle, (int)Kind, Index, other.Index, ScalarRing.Slot(position)).ThrowIfFailed();
        return new Scalar(session.Scalars, position);
    }

    /// <summary>The Euclidean norm of each layer held, over tokens and elements, and of all of them together.</summary>
    public SiteNorms Norms()
    {
        long position = session.Scalars.Take(points + 1);
        NativeMethods.SiteNorms(session.Handle, (int)Kind, Index, ScalarRing.Slot(position)).ThrowIfFailed();
        return new SiteNorms(session.Scalars, position, Layers, points, hasTotal: true);
    }

    /// <summary>
    /// this *= numerator / (norms.Total + epsilon), without waiting for the norms: how Vaccine (arXiv 2402.01109) and T-Vaccine
    /// (arXiv 2410.09760) make their perturbation from a gradient.
    /// </summary>
    /// <param name="numerator">rho.</param>
    /// <param name="norms">Taken by <see cref="Norms"/> of a site tensor of this session.</param>
    /// <param name="epsilon">Keeps the quotient finite.</param>
    /// <exception cref="ArgumentException">The norms come from a backward pass or another session.</exception>
    public void ScaleToNorm(float numerator, SiteNorms norms, float epsilon = 1e-7f)
    {
        if (!norms.IsOf(session.Scalars)) throw new ArgumentException("the norms belong to another session", nameof(norms));
        int scalar = ScalarRing.Slot(norms.TotalPosition);
        NativeMethods.SiteScaleToNorm(session.Handle, (int)Kind, Index, numerator, epsilon, scalar).ThrowIfFailed();
    }

    /// <summary>Rows that are not kept become zero, in every layer held.</summary>
    /// <param name="kept">One for each of the <see cref="TokenCount"/> rows.</param>
    /// <exception cref="ArgumentException">Not one for each row.</exception>
    public void MaskRows(ReadOnlySpan<bool> kept)
    {
        if (kept.Length != TokenCount) throw new ArgumentException($"{kept.Length} rows; expected {TokenCount}", nameof(kept));
        NativeMethods.SiteMaskRows(session.Handle, (int)Kind, Index, MemoryMarshal.AsBytes(kept)).ThrowIfFailed();
    }

    /// <summary>
    /// The products of this tensor's samples with another's, for kernels between samples such as MMD's. A sample is a vector of the rows
    /// that the last forward pass gave it; the shorter of two counts as padded with zeros, so that the square of the distance of sample a
    /// here and b there is Gram(this)[l, a, a] + other.Gram(other)[l, b, b] - 2 Gram(other)[l, a, b]. In double. Waits.
    /// </summary>
    /// <param name="other">Of this kind, with as many rows. It may be this one.</param>
    /// <returns>
    /// (layers, samples, samples): the layers that both hold, ascending; then this tensor's samples; then the other's.
    /// </returns>
    /// <exception cref="ArgumentException">The other one is of another kind or session.</exception>
    /// <exception cref="InputException">The rows are not those of the last forward pass.</exception>
    public double[,,] Gram(SiteTensor other)
    {
        RequireAlike(other);
        int samples = session.LastSampleCount;
        double[,,] gram = new double[Layers.Intersect(other.Layers).Count, samples, samples];
        NativeMethods.SiteGram(session.Handle, (int)Kind, Index, other.Index, gram.Length, Elements(gram)).ThrowIfFailed();
        return gram;
    }

    /// <summary>
    /// Sample a of this tensor += the sum over b of coefficients[l, a, b] times sample b of x, row by row, where x's sample has that row:
    /// the gradient of a function of <see cref="Gram"/>'s products. Summed in double.
    /// </summary>
    /// <param name="coefficients">(layers, samples, samples), as <see cref="Gram"/> of this and x would give.</param>
    /// <param name="x">Another tensor of this kind, with as many rows.</param>
    /// <exception cref="ArgumentException">x is of another kind or session.</exception>
    /// <exception cref="InputException">
    /// x is this one, the coefficients have other sizes, or the rows are not those of the last forward pass.
    /// </exception>
    public void AddCombination(double[,,] coefficients, SiteTensor x)
    {
        RequireAlike(x);
        NativeMethods.SiteAddCombination(session.Handle, (int)Kind, x.Index, Index, coefficients.Length, Elements(coefficients))
            .ThrowIfFailed();
    }

    /// <summary>One layer (tokens, hidden), row by row. Waits.</summary>
    public float[] Read(int layer)
    {
        float[] values = new float[(long)TokenCount * session.Configuration.HiddenSize];
        NativeMethods.SiteRead(session.Handle, (int)Kind, Index, layer, values.Length, values).ThrowIfFailed();
        return values;
    }

    /// <summary>Sets one layer, <see cref="TokenCount"/> rows of hidden elements.</summary>
    public void Write(int layer, ReadOnlySpan<float> values) =>
        NativeMethods.SiteWrite(session.Handle, (int)Kind, Index, layer, values.Length, values).ThrowIfFailed();

    internal bool IsOf(Session other) => ReferenceEquals(session, other);

    private static Span<double> Elements(double[,,] array) => MemoryMarshal.CreateSpan(
        ref Unsafe.As<byte, double>(ref MemoryMarshal.GetArrayDataReference(array)), array.Length);

    private void RequireAlike(SiteTensor other)
    {
        if (!other.IsOf(session)) throw new ArgumentException("the site tensors belong to different sessions");
        if (other.Kind != Kind) throw new ArgumentException($"the site tensors are of different kinds: {Kind} and {other.Kind}");
    }
}
