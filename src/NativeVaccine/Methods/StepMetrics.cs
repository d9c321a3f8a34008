namespace NativeVaccine.Methods;

/// <summary>
/// What a step has to tell: a line of metrics.jsonl. Every method has the properties; what else a method says has a name of its own. Where
/// gradients are accumulated, losses and site norms are the means over the micro-batches.
/// </summary>
public sealed class StepMetrics
{
    private readonly OrderedDictionary<string, object> values = new(StringComparer.Ordinal);

    /// <summary>The step, from 0.</summary>
    public required int Step { get; init; }

    /// <summary>The pass over the data, from 0.</summary>
    public required int Epoch { get; init; }

    /// <summary>The learning rate of this step.</summary>
    public required double LearningRate { get; init; }

    /// <summary>The samples that the step trained on, by the records of the data that they came from.</summary>
    public IReadOnlyList<int> Samples { get; set; } = [];

    /// <summary>Tokens of these samples; of pairs, of both sides.</summary>
    public long Tokens { get; set; }

    /// <summary>The objective, in nats: mean cross-entropy of the pass that trains, with whatever the method adds.</summary>
    public double Loss { get; set; }

    /// <summary>Norm of the gradient before clipping, over the tensors that have one.</summary>
    public double GradientNorm { get; set; }

    /// <summary>How many tensors have a gradient in this step.</summary>
    public int TensorsWithGradient { get; set; }

    /// <summary>Wall-clock time of the step.</summary>
    public double Seconds { get; set; }

    /// <summary>
    /// Floating-point operations of its passes, by arithmetic: 2 for each weight of a matrix and token forward, as many backward (docs/methods.md).
    /// </summary>
    public double Flops { get; set; }

    /// <summary>Memory in use on the device: the plan's bytes.</summary>
    public long PeakBytes { get; set; }

    /// <summary>What the method says, in its order: numbers, texts, arrays of numbers, and numbers by layer.</summary>
    public IReadOnlyDictionary<string, object> Values => values;

    /// <summary>Says a number.</summary>
    public void Set(string name, double value) => values[name] = value;

    /// <summary>Says a word.</summary>
    public void Set(string name, string value) => values[name] = value;

    /// <summary>Says whole numbers, such as layers or samples.</summary>
    public void Set(string name, IEnumerable<int> value) => values[name] = value.ToArray();

    /// <summary>Says some numbers.</summary>
    public void Set(string name, IEnumerable<double> value) => values[name] = value.ToArray();

    /// <summary>Adds to a number, which is 0 before.</summary>
    public void Add(string name, double value) => Set(name, (Number(name) ?? 0) + value);

    /// <summary>Adds to some numbers, one by one, which are 0 before.</summary>
    public void Add(string name, IReadOnlyList<double> numbers) => Set(name, values.TryGetValue(name, out object? before)
        ? ((double[])before).Zip(numbers, static (sum, number) => sum + number)
        : numbers);

    /// <summary>Adds to the numbers of some layers, which are 0 before.</summary>
    public void Add(string name, IEnumerable<KeyValuePair<int, double>> byLayer)
    {
        if (!values.TryGetValue(name, out object? sums)) values[name] = sums = new SortedDictionary<int, double>();
        var layers = (SortedDictionary<int, double>)sums;
        foreach ((int layer, double value) in byLayer) layers[layer] = layers.GetValueOrDefault(layer) + value;
    }

    /// <summary>A number that the method said; null if it did not.</summary>
    public double? Number(string name) => values.GetValueOrDefault(name) as double?;

    /// <summary>Whole numbers that the method said; null if it did not.</summary>
    public IReadOnlyList<int>? Integers(string name) => values.GetValueOrDefault(name) as int[];
}
