using System.Collections.Immutable;

namespace NativeVaccine.Models;

/// <summary>A linear module of a layer, as the model's files and its adapters have it: one projection, or several fused into one.</summary>
/// <param name="Name">The last part of its path: "q_proj", "qkv_proj".</param>
/// <param name="Parts">Its projections; their rows lie one after the other.</param>
public sealed record LinearModule(string Name, ImmutableArray<Projection> Parts)
{
    /// <summary>One for each projection.</summary>
    internal static ImmutableArray<LinearModule> Separate { get; } =
        [.. Projections.All.Select(static projection => new LinearModule(projection.HuggingFaceName(), [projection]))];

    /// <summary>True if it holds several projections.</summary>
    public bool IsFused => Parts.Length > 1;

    /// <summary>Its projections, for a message: "q_proj, k_proj and v_proj".</summary>
    internal string PartNames
    {
        get
        {
            string[] names = [.. Parts.Select(static part => part.HuggingFaceName())];
            return names.Length == 1 ? names[0] : $"{string.Join(", ", names[..^1])} and {names[^1]}";
        }
    }
}
