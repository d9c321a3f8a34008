using NativeVaccine.Data;
using NativeVaccine.Engine;
using NativeVaccine.Methods;
using NativeVaccine.Models;
using NativeVaccine.TorchReference;

namespace NativeVaccine.Tests.Engine.TorchComparison;

/// <summary>The same random model in the engine and in the reference.</summary>
internal sealed class ComparedModel : IDisposable
{
    /// <summary>Of the engine's dropout.</summary>
    public const ulong DropoutSeed = 0x1234_5678_9ABC_DEF0;

    /// <summary>Of weights: large enough that no part of the model is nearly linear.</summary>
    private const double Deviation = 0.2;

    private readonly Device device = TestDevice.Open(threads: 1);
    private readonly MemoryPlan plan;
    private readonly Dictionary<string, ReferenceTensor> weights;

    /// <summary>A row of the table, with room for what a method needs.</summary>
    public ComparedModel(string name, MethodNeeds? needs = null)
    {
        Case = ComparisonCase.All[name];
        weights = ReferenceWeights.Random(Case.Model, seed: 1, Deviation);
        ReferenceLora? lora = Case.IsFull
            ? null
            : ReferenceLora.Random(Case.Model, Case.Rank, Case.Alpha, Case.Targets, seed: 2, Deviation);
        Reference = new ReferenceModel(Case.Model, WeightsAsHeld(), lora);
        plan = MemoryPlan.Create(device, ConfigurationOf(Case.Model), OptionsOf(Case, needs ?? new MethodNeeds()));
        Session = Session.Create(device, plan);
        Session.Load(new WeightsInMemory(weights));
        if (lora is null) return;
        foreach (ModelTensor tensor in Session.TrainableTensors)
            Session.Parameters.Write(lora.Matrices[NameOf(tensor)].Values, tensor.Offset);
    }

    public ComparisonCase Case { get; }

    public Session Session { get; }

    public ReferenceModel Reference { get; }

    public Batch Batch => BatchOf(Case.Batch);

    /// <summary>The reference without its adapter.</summary>
    public ReferenceModel CreateBase() => new(Case.Model, WeightsAsHeld());

    public static Batch BatchOf(IEnumerable<ReferenceSample> samples) =>
        new([.. samples.Select(static sample => new Sample(sample.Ids, sample.Labels))]);

    /// <summary>The reference's name of a tensor.</summary>
    public static string NameOf(ModelTensor tensor) => tensor.IsAdapter ? ReferenceLora.Key(tensor.Name) : tensor.Name;

    public static ReferenceSite SiteOf(SiteKind kind, int layer) => new(Enum.Parse<ReferenceSiteKind>(kind.ToString()), layer);

    /// <summary>The engine's dropout of a step and pass, on if the case has one.</summary>
    public ForwardOptions Pass(uint step = 0, uint pass = 0) =>
        new() { Dropout = Case.Dropout > 0, Seed = DropoutSeed, Step = step, Pass = pass };

    /// <summary>The same for the reference: the engine's masks.</summary>
    public ReferenceRunOptions ReferencePass(uint step = 0, uint pass = 0, int? tokens = null) => new()
    {
        DropoutMasks = Case.Dropout > 0
            ? DropoutMasks.Of(Case, tokens ?? Case.TokenCount, DropoutSeed, step, pass)
            : new Dictionary<string, double[]>(),
    };

    /// <summary>A site tensor of the session that holds all layers or points; each kind has four.</summary>
    public SiteTensor Site(SiteKind kind, int index, LayerSet? layers = null)
    {
        SiteTensor site = Session.Site(kind, index);
        site.Select(layers ?? LayerSet.All(Session.LayerCount + (kind == SiteKind.Residual ? 1 : 0)));
        return site;
    }

    /// <summary>Fills the layers that a site tensor holds with its own noise, and tells the reference which.</summary>
    /// <returns>(T, hidden) at each site.</returns>
    public Dictionary<ReferenceSite, double[]> FillWithNoise(SiteTensor site, float deviation, uint seed)
    {
        site.Fill(deviation, seed, step: 1, Case.TokenCount);
        return site.Layers.ToDictionary(
            layer => SiteOf(site.Kind, layer), layer => Array.ConvertAll(site.Read(layer), static value => (double)value));
    }

    /// <summary>The values of every trainable tensor.</summary>
    public float[][] Parameters => [.. Session.TrainableTensors.Select(Session.Parameters.Read)];

    /// <summary>Compares what training changed in every tensor.</summary>
    /// <param name="start"><see cref="Parameters"/> before it.</param>
    public void CompareChanges(float[][] start)
    {
        foreach ((ModelTensor tensor, float[] before) in Session.TrainableTensors.Zip(start))
            Compare.Change(tensor.Name, before, Reference.Read(NameOf(tensor)), Session.Parameters.Read(tensor));
    }

    public void Dispose()
    {
        Session.Dispose();
        plan.Dispose();
        device.Dispose();
        Reference.Dispose();
    }

    private static SessionOptions OptionsOf(ComparisonCase its, MethodNeeds needs)
    {
        var sites = new SiteBudget(4);
        return new SessionOptions
        {
            MaxTokens = its.TokenCount,
            MaxSamples = its.Batch.Length,
            LongestSample = its.Batch.Max(static sample => sample.Ids.Length),
            Full = its.IsFull,
            Lora = its.IsFull ? null : LoraOf(its),
            WeightType = its.IsBFloat16 ? ElementType.BFloat16 : ElementType.Float32,
            Optimizers = 1 + needs.FurtherOptimizers,
            AttentionSites = sites,
            MlpSites = sites,
            ResidualSites = sites,
            ExtraVectors = Math.Max(3, needs.Vectors.Count),
            HeadRows = its.HeadRows,
            TeacherRows = its.IsFull ? 0 : its.TokenCount,
            RecomputedLayers = its.RecomputedLayers,
        };
    }

    private static LoraOptions LoraOf(ComparisonCase its) =>
        new(its.Rank, its.Alpha, its.Dropout, Projections.ParseList(string.Join(',', its.Targets)));

    private static ModelConfiguration ConfigurationOf(ReferenceConfiguration model) => new()
    {
        Family = ModelFamily.Llama,
        VocabularySize = model.VocabularySize,
        HiddenSize = model.HiddenSize,
        IntermediateSize = model.IntermediateSize,
        LayerCount = model.LayerCount,
        HeadCount = model.HeadCount,
        KeyValueHeadCount = model.KeyValueHeadCount,
        HeadSize = model.HeadSize,
        MaximumPositions = 64,
        RmsNormEpsilon = model.NormEpsilon,
        RopeTheta = model.RopeTheta,
        RopeScaling = model.RopeScaling switch
        {
            ReferenceRopeScaling.Linear => new RopeScaling(RopeScalingKind.Linear, model.RopeFactor),
            ReferenceRopeScaling.Llama3 => new RopeScaling(
                RopeScalingKind.Llama3,
                model.RopeFactor,
                model.RopeLowFrequencyFactor,
                model.RopeHighFrequencyFactor,
                model.RopeOriginalLength),
            _ => RopeScaling.None,
        },
        SlidingWindow = model.SlidingWindow ?? 0,
        TieWordEmbeddings = model.TiedEmbeddings,
        QueryKeyValueBias = model.AttentionInputBias,
        OutputBias = model.AttentionOutputBias,
        MlpBias = model.MlpBias,
    };

    private Dictionary<string, ReferenceTensor> WeightsAsHeld() => Case.IsBFloat16 ? Rounded(weights) : weights;

    /// <summary>Matrices rounded to bf16, to nearest and ties to even.</summary>
    private static Dictionary<string, ReferenceTensor> Rounded(Dictionary<string, ReferenceTensor> weights) =>
        weights.ToDictionary(static weight => weight.Key, static weight => Rounded(weight.Value));

    private static ReferenceTensor Rounded(ReferenceTensor weight) =>
        weight.Shape.Length == 1 ? weight : weight with { Values = Array.ConvertAll(weight.Values, ToBFloat16) };

    private static float ToBFloat16(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        return BitConverter.UInt32BitsToSingle((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000);
    }

    private sealed class WeightsInMemory(Dictionary<string, ReferenceTensor> weights) : IWeightSource
    {
        public void ReadFloat32(string name, Span<float> destination, long firstElement = 0) =>
            weights[name].Values.AsSpan((int)firstElement, destination.Length).CopyTo(destination);
    }
}
