using NativeVaccine.Engine;
using NativeVaccine.Models;

namespace NativeVaccine.Evaluation;

/// <summary>
/// Embedding drift (Vaccine, arXiv 2402.01109, section 3) of each layer: how far the residual stream h has moved since the drift was begun.
/// <code>D_l = 1/T sum over t of |h_l,t - h0_l,t|_2</code>
/// l: the point behind layer l, before the final norm; t: the T tokens of all prompts, template included, without dropout. The paper speaks of
/// hidden embeddings over a data set; its program sums the squares of the attention outputs, padding included, which grow with the data.
/// </summary>
public sealed class EmbeddingDrift
{
    private readonly Session session;
    private readonly IReadOnlyList<int[]> prompts;
    private readonly SiteTensor site;
    private readonly List<float[]> reference;

    /// <summary>Keeps the hidden states as they are now, in fp32 on the host: see <see cref="ReferenceBytes"/>.</summary>
    /// <param name="session">With room for the longest prompt.</param>
    /// <param name="prompts">Token ids; none is empty.</param>
    /// <param name="site">A site tensor in the residual stream for all points, which nothing else uses.</param>
    public EmbeddingDrift(Session session, IReadOnlyList<int[]> prompts, SiteTensor site)
    {
        (this.session, this.prompts, this.site) = (session, prompts, site);
        site.Select(LayerSet.Of(Enumerable.Range(1, session.LayerCount)));
        reference = [.. States(CancellationToken.None).Select(static state => state.Rows)];
    }

    /// <summary>Bytes of the host's memory that the states at the beginning take.</summary>
    /// <param name="model">The model's shape.</param>
    /// <param name="tokens">Tokens of all prompts.</param>
    public static long ReferenceBytes(ModelConfiguration model, long tokens) => tokens * model.LayerCount * model.HiddenSize * sizeof(float);

    /// <summary>The drift of each layer, the lowest first. Nothing of what trains is changed.</summary>
    /// <param name="cancellation">Ends it early.</param>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public double[] Measure(CancellationToken cancellation = default)
    {
        double[] drift = new double[session.LayerCount];
        foreach ((int index, (int layer, float[] rows)) in States(cancellation).Index()) drift[layer] += SumOfDistances(rows, reference[index]);
        long tokens = prompts.Sum(static prompt => (long)prompt.Length);
        return [.. drift.Select(sum => sum / tokens)];
    }

    /// <summary>The rows (tokens, hidden) of every layer, of one group of prompts after the other.</summary>
    private IEnumerable<(int Layer, float[] Rows)> States(CancellationToken cancellation)
    {
        SessionOptions limits = session.Plan.Options;
        IEnumerable<int[]> groups = SequencePacking.Groups(
            Enumerable.Range(0, prompts.Count), index => prompts[index].Length, limits.MaxSamples, limits.MaxTokens);
        foreach (int[] group in groups)
        {
            Batch batch = Batch.OfPrompts([.. group.Select(index => prompts[index])]);
            session.Forward(batch, new ForwardOptions { ForBackward = false, Record = [site] }, cancellation);
            for (int layer = 0; layer < session.LayerCount; layer++) yield return (layer, site.Read(layer + 1));
        }
    }

    private double SumOfDistances(float[] rows, float[] before)
    {
        int hidden = session.Configuration.HiddenSize;
        double sum = 0;
        for (int first = 0; first < rows.Length; first += hidden)
        {
            double square = 0;
            for (int i = first; i < first + hidden; i++)
            {
                double difference = (double)rows[i] - before[i];
                square += difference * difference;
            }
            sum += Math.Sqrt(square);
        }
        return sum;
    }
}
