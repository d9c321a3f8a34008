using System.Collections.Immutable;
using NativeVaccine.IO;

namespace NativeVaccine.Models;

/// <summary>How rotary angles are stretched beyond the positions of the first training.</summary>
public enum RopeScalingKind
{
    /// <summary>Not at all.</summary>
    None,

    /// <summary>Every angle is divided by the factor.</summary>
    Linear,

    /// <summary>Low frequencies are divided by the factor, high ones stay, those between are blended (Llama 3.1).</summary>
    Llama3,
}

/// <summary>The parameters of rotary scaling; those that a kind does not use are 0.</summary>
/// <param name="Kind">The rule.</param>
/// <param name="Factor">Linear, Llama3.</param>
/// <param name="LowFrequencyFactor">Llama3.</param>
/// <param name="HighFrequencyFactor">Llama3.</param>
/// <param name="OriginalMaximumPositions">Llama3: positions of the first training.</param>
public sealed record RopeScaling(
    RopeScalingKind Kind,
    double Factor = 0,
    double LowFrequencyFactor = 0,
    double HighFrequencyFactor = 0,
    int OriginalMaximumPositions = 0)
{
    /// <summary>Plain rotary embedding.</summary>
    public static RopeScaling None { get; } = new(RopeScalingKind.None);
}

/// <summary>A rotary embedding.</summary>
/// <param name="Theta">Base of the angles.</param>
/// <param name="Scaling">How they are stretched.</param>
public sealed record RotaryEmbedding(double Theta, RopeScaling Scaling);

/// <summary>
/// The shape and constants of a model, as config.json of a Hugging Face folder has them. What was loaded has been checked: sizes are
/// positive and fit together.
/// </summary>
public sealed record ModelConfiguration
{
    /// <summary>What it has in common with models of its kind: norms, fused modules, names of tensors.</summary>
    public required ModelFamily Family { get; init; }

    /// <summary>V: rows of the embedding, which may be more than the tokenizer has.</summary>
    public required int VocabularySize { get; init; }

    /// <summary>C: width of the residual stream.</summary>
    public required int HiddenSize { get; init; }

    /// <summary>Width of the MLP.</summary>
    public required int IntermediateSize { get; init; }

    /// <summary>L.</summary>
    public required int LayerCount { get; init; }

    /// <summary>NH: query heads.</summary>
    public required int HeadCount { get; init; }

    /// <summary>NKV: key and value heads; divides <see cref="HeadCount"/>.</summary>
    public required int KeyValueHeadCount { get; init; }

    /// <summary>HD: width of a head, even.</summary>
    public required int HeadSize { get; init; }

    /// <summary>Longest sequence that the model was made for.</summary>
    public required int MaximumPositions { get; init; }

    /// <summary>Added to the mean square in every norm.</summary>
    public required double RmsNormEpsilon { get; init; }

    /// <summary>Base of the rotary angles.</summary>
    public double RopeTheta { get; init; } = 10000;

    /// <summary>Stretching of the rotary angles.</summary>
    public RopeScaling RopeScaling { get; init; } = RopeScaling.None;

    /// <summary>The rotary embedding of layers with a window, where that is another one; null if not.</summary>
    public RotaryEmbedding? LocalRope { get; init; }

    /// <summary>A token sees itself and the tokens before it, this many in all; 0 = all of them.</summary>
    public int SlidingWindow { get; init; }

    /// <summary>
    /// L times whether the layer has the window and <see cref="LocalRope"/>; empty if all layers have <see cref="SlidingWindow"/> and there
    /// is only one rotary embedding.
    /// </summary>
    public ImmutableArray<bool> WindowedLayers { get; init; } = [];

    /// <summary>What the gate of the MLP goes through.</summary>
    public Activation Activation { get; init; }

    /// <summary>Scores are divided by the root of it; null for <see cref="HeadSize"/>.</summary>
    public double? QueryScalar { get; init; }

    /// <summary>Scores become cap * tanh(score / cap); 0 = they stay.</summary>
    public double AttentionCap { get; init; }

    /// <summary>Logits become cap * tanh(logit / cap); 0 = they stay.</summary>
    public double LogitCap { get; init; }

    /// <summary>True if the head is the embedding.</summary>
    public bool TieWordEmbeddings { get; init; }

    /// <summary>True if q, k and v have biases.</summary>
    public bool QueryKeyValueBias { get; init; }

    /// <summary>True if the attention's output projection has a bias.</summary>
    public bool OutputBias { get; init; }

    /// <summary>True if gate, up and down have biases.</summary>
    public bool MlpBias { get; init; }

    /// <summary>The token that begins a text, if the model has one.</summary>
    public int? BeginOfSequenceId { get; init; }

    /// <summary>The tokens that end a text; see <see cref="GenerationConfiguration.EndIds"/> for those that end a continuation.</summary>
    public ImmutableArray<int> EndOfSequenceIds { get; init; } = [];

    /// <summary>What the weights are stored as, by the configuration; the tensors have the last word.</summary>
    public ElementType StoredType { get; init; } = ElementType.Float32;

    /// <summary>Outputs of q_proj: NH * HD.</summary>
    public int QuerySize => HeadCount * HeadSize;

    /// <summary>Outputs of k_proj and v_proj: NKV * HD.</summary>
    public int KeyValueSize => KeyValueHeadCount * HeadSize;

    /// <summary>All parameters, a tied head counted once.</summary>
    public long ParameterCount => ExpectedWeight.Of(this).Sum(static weight => weight.ElementCount);

    /// <summary>The config.json that this was read from, of which <see cref="ToJson"/> changes next to nothing.</summary>
    internal string? SourceJson { get; init; }

    /// <summary>Reads the config.json of a folder.</summary>
    /// <param name="folder">The model.</param>
    /// <param name="notice">Told in a line each what was resolved and which fields are not known.</param>
    /// <exception cref="InputException">Missing, broken, of an unknown architecture, or with sizes that do not fit together.</exception>
    public static ModelConfiguration Load(string folder, Action<string>? notice = null)
    {
        InputFile.RequireFolder(folder, "a Hugging Face model folder");
        return ModelConfigurationReader.Read(folder, notice);
    }

    /// <summary>Reads a config.json by itself.</summary>
    /// <param name="json">Its bytes.</param>
    /// <param name="file">Its name, for messages.</param>
    /// <param name="notice">As of <see cref="Load"/>.</param>
    /// <exception cref="InputException">As <see cref="Load"/>.</exception>
    public static ModelConfiguration Parse(ReadOnlyMemory<byte> json, string file, Action<string>? notice = null) =>
        ModelConfigurationReader.Parse(json, file, notice);

    /// <summary>The shape of a published model, without its files: for planning.</summary>
    /// <exception cref="InputException">The name is unknown.</exception>
    public static ModelConfiguration Shape(string name) => ModelShapes.Find(name);

    /// <summary>Outputs (rows) and inputs (columns) of a projection's matrix.</summary>
    public (int Outputs, int Inputs) ProjectionShape(Projection projection) => projection switch
    {
        Projection.Query => (QuerySize, HiddenSize),
        Projection.Key or Projection.Value => (KeyValueSize, HiddenSize),
        Projection.Output => (HiddenSize, QuerySize),
        Projection.Gate or Projection.Up => (IntermediateSize, HiddenSize),
        Projection.Down => (HiddenSize, IntermediateSize),
        _ => throw new ArgumentOutOfRangeException(nameof(projection)),
    };

    /// <summary>Outputs (rows) and inputs (columns) of a module's matrix.</summary>
    internal (int Outputs, int Inputs) ModuleShape(LinearModule module) =>
        (module.Parts.Sum(part => ProjectionShape(part).Outputs), ProjectionShape(module.Parts[0]).Inputs);

    /// <summary>True if the projection has a bias in this model.</summary>
    public bool HasBias(Projection projection) => projection switch
    {
        Projection.Output => OutputBias,
        Projection.Gate or Projection.Up or Projection.Down => MlpBias,
        _ => QueryKeyValueBias,
    };

    /// <summary>
    /// The text of a config.json that transformers opens. What was read from a file keeps its fields as they were, but for
    /// <see cref="StoredType"/> and <see cref="TieWordEmbeddings"/>.
    /// </summary>
    public string ToJson() => ModelConfigurationWriter.Write(this);
}
