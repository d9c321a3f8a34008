namespace NativeVaccine.Models;

/// <summary>A LoRA adapter as PEFT keeps it: matrices A and B for some projections of every layer.</summary>
public sealed class Adapter
{
    private readonly LoraMatrices[][] matrices;

    /// <summary>An adapter of zeros, which changes nothing.</summary>
    /// <param name="model">The model that it belongs to; gives layers and shapes.</param>
    /// <param name="rank">r.</param>
    /// <param name="alpha">What the scale is made of: alpha / r.</param>
    /// <param name="dropout">On the adapter's input while training; only noted.</param>
    /// <param name="targets">Projections, without repetition; kept in the order of computation.</param>
    public Adapter(ModelConfiguration model, int rank, double alpha, double dropout, IEnumerable<Projection> targets)
    {
        (Rank, Alpha, Dropout) = (rank, alpha, dropout);
        Targets = [.. targets.Order()];
        matrices = new LoraMatrices[model.LayerCount][];
        for (int layer = 0; layer < model.LayerCount; layer++)
        {
            matrices[layer] = [.. Targets.Select(target =>
            {
                (int outputs, int inputs) = model.ProjectionShape(target);
                return new LoraMatrices(rank, outputs, inputs);
            })];
        }
    }

    /// <summary>r.</summary>
    public int Rank { get; }

    /// <summary>lora_alpha.</summary>
    public double Alpha { get; }

    /// <summary>lora_dropout.</summary>
    public double Dropout { get; }

    /// <summary>The adapted projections, in the order of computation.</summary>
    public IReadOnlyList<Projection> Targets { get; }

    /// <summary>Layers of the model.</summary>
    public int LayerCount => matrices.Length;

    /// <summary>The factor of B A: alpha / r.</summary>
    public double Scale => Alpha / Rank;

    /// <summary>What adapter_config.json names as the base model; null if nothing.</summary>
    public string? BaseModel { get; init; }

    /// <summary>The matrices of a projection that is among <see cref="Targets"/>.</summary>
    public LoraMatrices this[int layer, Projection projection]
    {
        get
        {
            for (int i = 0; i < Targets.Count; i++)
            {
                if (Targets[i] == projection) return matrices[layer][i];
            }
            throw new ArgumentOutOfRangeException(nameof(projection), projection, "the adapter has no such target");
        }
    }

    /// <summary>Reads adapter_config.json and adapter_model.safetensors of a folder.</summary>
    /// <param name="folder">The adapter.</param>
    /// <param name="model">The model that it must fit.</param>
    /// <exception cref="InputException">A file is missing or broken, asks for more than plain LoRA, or does not fit the model.</exception>
    public static Adapter Load(string folder, ModelConfiguration model) => AdapterFiles.Load(folder, model);

    /// <summary>Writes the two files, which peft opens; those of an adapter that is there already are replaced together.</summary>
    /// <param name="folder">The adapter.</param>
    /// <param name="addFiles">Puts more files into the folder that it is given; they appear together with the adapter.</param>
    /// <exception cref="InputException">The folder cannot be written.</exception>
    public void Save(string folder, Action<string>? addFiles = null) => AdapterFiles.Save(this, folder, addFiles);
}
