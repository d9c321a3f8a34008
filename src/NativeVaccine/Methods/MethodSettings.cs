using NativeVaccine.Training;

namespace NativeVaccine.Methods;

/// <summary>The values of a method's options. What was not set has its default.</summary>
public sealed class MethodSettings
{
    private readonly Dictionary<string, object> values;
    private readonly Preset preset;

    private MethodSettings(Dictionary<string, object> values, Preset preset) => (this.values, this.preset) = (values, preset);

    /// <summary>True if the run goes on with an adapter that is there (<c>--init-adapter</c>), and does not begin a fresh one.</summary>
    public bool ContinuesAdapter { get; private init; }

    /// <summary>The defaults of a preset.</summary>
    public static MethodSettings Of(Preset preset) => new(new Dictionary<string, object>(StringComparer.Ordinal), preset);

    /// <summary>The settings as a method is made with them, which tell it what the other options of the run mean to it.</summary>
    public MethodSettings ForRun(TrainingOptions options) => new(values, preset) { ContinuesAdapter = options.InitAdapter is not null };

    /// <summary>The value of an option.</summary>
    public T Get<T>(MethodOption<T> option)
        where T : notnull => (T)(Find(option) ?? throw new InvalidOperationException($"{option.Name} has no value"));

    /// <summary>The value of an option; null if it has none.</summary>
    public object? Find(MethodOption option) => values.GetValueOrDefault(option.Name) ?? option.DefaultOf(preset);

    /// <summary>The same settings with another value.</summary>
    public MethodSettings With(string name, object value) =>
        new(new Dictionary<string, object>(values, StringComparer.Ordinal) { [name] = value }, preset);

    /// <summary>The same settings with another value.</summary>
    public MethodSettings With<T>(MethodOption<T> option, T value)
        where T : notnull => With(option.Name, value);
}
