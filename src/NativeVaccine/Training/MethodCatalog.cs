using NativeVaccine.IO;
using NativeVaccine.Methods;

namespace NativeVaccine.Training;

/// <summary>All methods, by the names of the command line.</summary>
public static class MethodCatalog
{
    private static readonly Dictionary<string, Func<TrainingOptions, Method>> Methods = new(StringComparer.Ordinal)
    {
        ["sft"] = static _ => new Sft(),
        ["vaccine"] = static options => new Vaccine(options.Rho, options.SameMasks),
        ["tvaccine"] = static options => new TVaccine(
            new TVaccineOptions(options.Rho, options.Layers, options.ResampleEvery, options.ProbeEvery)
            {
                FreezeScope = options.FreezeScope,
                BackwardFloor = options.BackwardFloor,
                SameMasks = options.SameMasks,
            }),
        ["random-vaccine"] = static options => new RandomVaccine(options.Rho, options.NoiseSize),
    };

    /// <summary>The names.</summary>
    public static IReadOnlyCollection<string> Names => Methods.Keys;

    /// <summary>The method that the options name, with its settings.</summary>
    /// <exception cref="InputException">There is none of this name.</exception>
    public static Method Create(TrainingOptions options)
    {
        if (Methods.TryGetValue(options.Method, out Func<TrainingOptions, Method>? create)) return create(options);
        throw new InputException($"method {InputText.Quote(options.Method)} is unknown; expected one of {string.Join(", ", Names)}");
    }
}
