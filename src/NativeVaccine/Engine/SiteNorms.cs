namespace NativeVaccine.Engine;

/// <summary>Euclidean norms at a kind of site, of each layer and of all together: computed on the device, read when asked for.</summary>
public sealed class SiteNorms
{
    private readonly ScalarRing ring;
    private readonly long position;
    private readonly int points;
    private readonly bool hasTotal;
    private double[]? squares;

    internal SiteNorms(ScalarRing ring, long position, LayerSet layers, int points, bool hasTotal)
    {
        (this.ring, this.position, this.points, this.hasTotal) = (ring, position, points, hasTotal);
        Layers = layers;
    }

    /// <summary>The layers (or residual points) that have a norm here.</summary>
    public LayerSet Layers { get; }

    /// <summary>The norm over all layers: the root of the sum of the squares.</summary>
    public double Total => Math.Sqrt(hasTotal ? Squares[points] : Layers.Sum(layer => Squares[layer]));

    /// <summary>The position of the square of the total, for the device to go on with.</summary>
    internal long TotalPosition
    {
        get
        {
            if (!hasTotal) throw new ArgumentException("these norms have no total on the device; expected norms of a site tensor");
            ring.Require(position);
            return position + points;
        }
    }

    private double[] Squares
    {
        get
        {
            if (squares is not null) return squares;
            double[] read = new double[points + (hasTotal ? 1 : 0)];
            ring.Read(position, read);
            return squares = read;
        }
    }

    /// <summary>The norm of a layer.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The layer is not among <see cref="Layers"/>.</exception>
    /// <exception cref="InvalidOperationException">As <see cref="Scalar.Value"/>.</exception>
    public double this[int layer]
    {
        get
        {
            if (Layers.Contains(layer)) return Math.Sqrt(Squares[layer]);
            throw new ArgumentOutOfRangeException(nameof(layer), layer, $"no norm was taken there; expected one of {Layers}");
        }
    }

    /// <summary>True if the norms were taken in this session.</summary>
    internal bool IsOf(ScalarRing other) => ReferenceEquals(ring, other);
}
