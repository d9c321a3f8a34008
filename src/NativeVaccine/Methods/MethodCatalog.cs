using NativeVaccine.IO;
using NativeVaccine.Training;

namespace NativeVaccine.Methods;

/// <summary>All methods, by the names of the command line.</summary>
public static class MethodCatalog
{
    /// <summary>The methods.</summary>
    public static IReadOnlyList<MethodInfo> All { get; } =
    [
        Sft.Info, Vaccine.Info, TVaccine.Info, RandomVaccine.Info, RepNoise.Info, Tar.Info, TarLite.Info, Booster.Info,
        Lisa.Info, Ewc.Info, Kl.Info, VlGuard.Info,
    ];

    /// <summary>Their names.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. All.Select(static method => method.Name)];

    /// <summary>All names of their options, each once.</summary>
    public static IReadOnlyList<string> OptionNames { get; } =
        [.. All.SelectMany(static method => method.Options).Select(static option => option.Name).Distinct()];

    /// <summary>Names of the methods for a stage.</summary>
    public static IReadOnlyList<string> NamesFor(TrainingStage stage) =>
        [.. All.Where(method => method.Stages.Contains(stage)).Select(static method => method.Name)];

    /// <summary>The method of a name; null if there is none.</summary>
    public static MethodInfo? Find(string name) => All.FirstOrDefault(method => method.Name == name);

    /// <summary>The method of a name.</summary>
    /// <exception cref="InputException">There is none of this name.</exception>
    public static MethodInfo Require(string name) => Find(name)
        ?? throw new InputException($"method {InputText.Quote(name)} is unknown; expected one of {string.Join(", ", Names)}");

    /// <summary>The method that the options name, with its settings.</summary>
    /// <exception cref="InputException">There is none of this name.</exception>
    public static Method Create(TrainingOptions options) => Require(options.Method).Create(options.Settings.ForRun(options));
}
