using NativeVaccine.Training;

namespace NativeVaccine.Methods;

/// <summary>What a method is called, which options it uses, and how it is made. Every method declares its own in its file.</summary>
/// <param name="Name">The name by which the command line selects it.</param>
/// <param name="Create">Makes it with the settings of a run.</param>
/// <param name="Options">The options that it uses, besides those of every run. Others' options are refused where it is selected.</param>
public sealed record MethodInfo(string Name, Func<TrainingOptions, Method> Create, params IReadOnlyList<MethodOption> Options);

/// <summary>An option that some methods use.</summary>
/// <param name="Name">Its name in config.json, such as resample_every.</param>
/// <param name="Default">The method's own default; null where it is that of <see cref="TrainingOptions"/>.</param>
public sealed record MethodOption(string Name, double? Default = null);
