namespace NativeVaccine.Models;

/// <summary>The seven linear maps of a layer, in the order of computation.</summary>
public enum Projection
{
    /// <summary>q_proj: hidden to query heads.</summary>
    Query,

    /// <summary>k_proj: hidden to key heads.</summary>
    Key,

    /// <summary>v_proj: hidden to value heads.</summary>
    Value,

    /// <summary>o_proj: heads to hidden.</summary>
    Output,

    /// <summary>gate_proj: hidden to intermediate, through the activation.</summary>
    Gate,

    /// <summary>up_proj: hidden to intermediate.</summary>
    Up,

    /// <summary>down_proj: intermediate to hidden.</summary>
    Down,
}

/// <summary>Names of <see cref="Projection"/>.</summary>
public static class Projections
{
    private const string AllLinear = "all-linear";
    private static readonly string[] Names = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];

    /// <summary>All seven, in order.</summary>
    public static IReadOnlyList<Projection> All { get; } = Enum.GetValues<Projection>();

    /// <summary>The name in model files and adapters: "q_proj".</summary>
    public static string HuggingFaceName(this Projection projection) => Names[(int)projection];

    /// <summary>True for the four of the attention module, false for the three of the MLP.</summary>
    public static bool IsAttention(this Projection projection) => projection <= Projection.Output;

    /// <summary>Finds a projection by its name in model files.</summary>
    public static bool TryParse(string name, out Projection projection)
    {
        int index = Array.IndexOf(Names, name);
        projection = index < 0 ? default : (Projection)index;
        return index >= 0;
    }

    /// <summary>Parses names separated by commas, as on the command line; the result has the order of computation.</summary>
    /// <exception cref="InputException">A name is unknown, or there is none.</exception>
    public static IReadOnlyList<Projection> ParseList(string names)
    {
        string[] parts = names.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        return Parse(parts, "LoRA targets");
    }

    /// <summary>
    /// Parses a list of names; <paramref name="where"/> begins the message if one is unknown. A fused module, such as Phi-3's qkv_proj, stands
    /// for its projections, and all-linear for all, as in peft.
    /// </summary>
    /// <exception cref="InputException">A name is unknown, a projection is given twice, or there is none.</exception>
    internal static IReadOnlyList<Projection> Parse(IReadOnlyCollection<string> names, string where)
    {
        if (names.Count == 0) throw new InputException($"{where}: none given; expected {Expected}");
        var found = new SortedSet<Projection>();
        foreach (string name in names)
        {
            foreach (Projection projection in Named(name) ?? throw new InputException($"{where}: {IO.InputText.Quote(name)} is unknown; expected {Expected}"))
            {
                if (!found.Add(projection)) throw new InputException($"{where}: '{projection.HuggingFaceName()}' is given twice");
            }
        }
        return [.. found];
    }

    private static string Expected => $"some of {string.Join(", ", [.. Names, .. Fused.Select(static module => module.Name), AllLinear])}";

    private static IEnumerable<LinearModule> Fused =>
        ModelFamily.All.SelectMany(static family => family.Modules).Where(static module => module.IsFused);

    private static IReadOnlyList<Projection>? Named(string name)
    {
        if (TryParse(name, out Projection projection)) return [projection];
        return name == AllLinear ? All : Fused.FirstOrDefault(module => module.Name == name)?.Parts;
    }
}
