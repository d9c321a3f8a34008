using NativeVaccine.IO;
using NativeVaccine.Methods;

namespace NativeVaccine.Training;

/// <summary>All methods, by the names of the command line.</summary>
public static class MethodCatalog
{
    /// <summary>The methods.</summary>
    public static IReadOnlyList<MethodInfo> All { get; } = [Sft.Info, Vaccine.Info, TVaccine.Info, RandomVaccine.Info];

    /// <summary>Their names.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. All.Select(static method => method.Name)];

    /// <summary>The method of a name; null if there is none.</summary>
    public static MethodInfo? Find(string name) => All.FirstOrDefault(method => method.Name == name);

    /// <summary>The method that the options name, with its settings.</summary>
    /// <exception cref="InputException">There is none of this name.</exception>
    public static Method Create(TrainingOptions options) => Find(options.Method)?.Create(options)
        ?? throw new InputException($"method {InputText.Quote(options.Method)} is unknown; expected one of {string.Join(", ", Names)}");
}
