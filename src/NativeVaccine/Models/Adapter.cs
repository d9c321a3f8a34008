namespace NativeVaccine.Models;

/// <summary>LoRA on one projection of one layer: W + scale * B A.</summary>
/// <param name="Layer">From 0.</param>
/// <param name="Projection">The linear map that is changed.</param>
/// <param name="Alpha">lora_alpha, or what alpha_pattern says for this module.</param>
/// <param name="Scale">alpha / r, or alpha / sqrt(r) with use_rslora, of the module's own rank.</param>
/// <param name="Matrices">A and B.</param>
public sealed record AdapterModule(int Layer, Projection Projection, double Alpha, double Scale, LoraMatrices Matrices);

/// <summary>The form of an adapter that training makes and goes on with: the same for every layer.</summary>
/// <param name="Rank">r.</param>
/// <param name="Alpha">What the scale is made of: alpha / r.</param>
/// <param name="Targets">The adapted projections, in the order of computation.</param>
/// <param name="IsRankStabilized">
/// True if the adapter makes its scale of another alpha, as alpha / sqrt(r) (use_rslora); <paramref name="Alpha"/> then gives the same scale.
/// </param>
public sealed record UniformLora(int Rank, double Alpha, IReadOnlyList<Projection> Targets, bool IsRankStabilized = false);

/// <summary>A LoRA adapter as PEFT keeps it: matrices A and B for some projections of some layers.</summary>
public sealed class Adapter
{
    /// <summary>The largest alpha that is taken for one; no rank that fits asks for more.</summary>
    public const double LargestAlpha = 1 << 20;

    /// <summary>What alpha must be, as messages say it.</summary>
    public static string AlphaRange { get; } = FormattableString.Invariant($"a positive number of fp32, at most {LargestAlpha}");

    /// <summary>Whether alpha can be one.</summary>
    public static bool IsAlpha(double alpha) => (float)alpha > 0 && alpha <= LargestAlpha;

    private readonly Dictionary<(int Layer, Projection Projection), AdapterModule> modules;

    /// <summary>An adapter of zeros, which changes nothing, of the same form in every layer.</summary>
    /// <param name="model">The model that it belongs to; gives layers and shapes.</param>
    /// <param name="rank">r.</param>
    /// <param name="alpha">What the scale is made of: alpha / r.</param>
    /// <param name="dropout">On the adapter's input while training; only noted.</param>
    /// <param name="targets">Projections, without repetition.</param>
    public Adapter(ModelConfiguration model, int rank, double alpha, double dropout, IEnumerable<Projection> targets)
        : this(model, dropout, Uniform(model, rank, alpha, [.. targets.Order()]))
    {
    }

    /// <param name="model">The model that it belongs to.</param>
    /// <param name="dropout">As noted in the file.</param>
    /// <param name="modules">In the order of computation.</param>
    internal Adapter(ModelConfiguration model, double dropout, IReadOnlyList<AdapterModule> modules)
    {
        (Model, Dropout, Modules) = (model, dropout, modules);
        this.modules = modules.ToDictionary(static module => (module.Layer, module.Projection));
    }

    /// <summary>What is adapted, in the order of computation.</summary>
    public IReadOnlyList<AdapterModule> Modules { get; }

    /// <summary>lora_dropout.</summary>
    public double Dropout { get; }

    /// <summary>Layers of the model, adapted or not.</summary>
    public int LayerCount => Model.LayerCount;

    /// <summary>What adapter_config.json names as the base model; null if nothing.</summary>
    public string? BaseModel { get; init; }

    /// <summary>The folder that it was read from; null if none.</summary>
    public string? Source { get; init; }

    /// <summary>What a user should know about the files, a line each.</summary>
    public IReadOnlyList<string> Notices { get; init; } = [];

    /// <summary>The configuration of the model that it belongs to.</summary>
    internal ModelConfiguration Model { get; }

    /// <summary>True if projections that the model's files fuse have copies of one A, which training would make different ones.</summary>
    internal bool SharesA { get; init; }

    /// <summary>The matrices of a projection that is adapted.</summary>
    public LoraMatrices this[int layer, Projection projection] => modules.TryGetValue((layer, projection), out AdapterModule? module)
        ? module.Matrices
        : throw new ArgumentOutOfRangeException(nameof(projection), projection, "the adapter has no such target");

    /// <summary>Whether the same projections are adapted in every layer, with one rank and one alpha.</summary>
    public bool IsUniform => Difference() is null;

    /// <summary>The rank, alpha and projections that all layers have in common.</summary>
    /// <param name="where">Begins the message if they differ: an option with its value, or a path.</param>
    /// <exception cref="InputException">The layers differ. The message says in what.</exception>
    public UniformLora RequireUniform(string where)
    {
        if (Difference() is { } what)
        {
            throw new InputException(
                $"{where}: {FormattableString.Invariant(what)}: training goes on only with such an adapter (this one can be merged)");
        }
        int rank = Modules[0].Matrices.Rank;
        double alpha = Modules[0].Alpha;
        bool isStabilized = (float)Modules[0].Scale != (float)(alpha / rank);
        return new UniformLora(rank, isStabilized ? Modules[0].Scale * rank : alpha, Targets(), isStabilized);
    }

    /// <summary>What the layers do not have in common; null for nothing.</summary>
    private FormattableString? Difference()
    {
        int[] ranks = [.. Modules.Select(static module => module.Matrices.Rank).Distinct().Order()];
        double[] alphas = [.. Modules.Select(static module => module.Alpha).DistinctBy(static alpha => (float)alpha).Order()];
        int modulesOfAllLayers = LayerCount * Targets().Length;
        if (ranks.Length > 1) return $"its modules have ranks from {ranks[0]} to {ranks[^1]} (rank_pattern); expected one for all";
        if (alphas.Length > 1) return $"its modules have alphas from {alphas[0]} to {alphas[^1]} (alpha_pattern); expected one for all";
        if (Modules.Count < modulesOfAllLayers)
            return $"it has {Modules.Count} modules of {modulesOfAllLayers}; expected the same projections in every layer";
        return null;
    }

    private Projection[] Targets() => [.. Modules.Select(static module => module.Projection).Distinct().Order()];

    /// <summary>
    /// Reads adapter_config.json and adapter_model.safetensors (or .bin) of a folder. One of PiSSA becomes the plain one of twice the rank
    /// that does the same to these weights.
    /// </summary>
    /// <param name="folder">The adapter.</param>
    /// <param name="model">The model that it must fit; weights that lie beside the adapter must be equal to its own.</param>
    /// <param name="under">The adapters that are merged before it; none unless given.</param>
    /// <exception cref="InputException">A file is missing or broken, asks for more than LoRA, or does not fit the model.</exception>
    public static Adapter Load(string folder, ModelFolder model, IReadOnlyList<Adapter>? under = null) =>
        AdapterFiles.Load(folder, model.Configuration, model, under ?? []);

    /// <summary>The same where the model's weights are not at hand: then the adapter must do without them.</summary>
    /// <exception cref="InputException">As the other.</exception>
    public static Adapter Load(string folder, ModelConfiguration model) => AdapterFiles.Load(folder, model, weights: null, under: null);

    /// <summary>Reads a chain of adapters, each of which stands on those before it.</summary>
    /// <exception cref="InputException">As <see cref="Load(string, ModelFolder, IReadOnlyList{Adapter}?)"/>.</exception>
    public static List<Adapter> LoadChain(IEnumerable<string> folders, ModelFolder model)
    {
        var chain = new List<Adapter>();
        foreach (string folder in folders) chain.Add(Load(folder, model, chain));
        return chain;
    }

    /// <summary>Writes the two files, which peft opens; those of an adapter that is there already are replaced together.</summary>
    /// <param name="folder">The adapter.</param>
    /// <param name="addFiles">Puts more files into the folder that it is given; they appear together with the adapter.</param>
    /// <exception cref="InputException">The folder cannot be written, or the adapter's layers differ.</exception>
    public void Save(string folder, Action<string>? addFiles = null) => AdapterFiles.Save(this, folder, addFiles);

    private static List<AdapterModule> Uniform(ModelConfiguration model, int rank, double alpha, Projection[] targets)
    {
        var modules = new List<AdapterModule>();
        for (int layer = 0; layer < model.LayerCount; layer++)
        {
            foreach (Projection target in targets)
            {
                (int outputs, int inputs) = model.ProjectionShape(target);
                modules.Add(new AdapterModule(layer, target, alpha, alpha / rank, new LoraMatrices(rank, outputs, inputs)));
            }
        }
        return modules;
    }
}
