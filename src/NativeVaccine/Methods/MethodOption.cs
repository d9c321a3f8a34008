using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using NativeVaccine.Data;

namespace NativeVaccine.Methods;

/// <summary>
/// An option of a method, declared in the method's file. Command line, config.json, help and checks follow from it. Methods may declare
/// options of the same name, each with a help and a default of its own; the kind must be the same.
/// </summary>
/// <param name="name">Its name in config.json, such as <c>resample_every</c>; the command line's is <c>--resample-every</c>.</param>
/// <param name="help">What it is, in a few words.</param>
public abstract class MethodOption(string name, string help)
{
    /// <summary>Its name in config.json.</summary>
    public string Name => name;

    /// <summary>Its name on the command line.</summary>
    public string CommandLineName => $"--{name.Replace('_', '-')}";

    /// <summary>What it is.</summary>
    public string Help => help;

    /// <summary>What stands for its value in help: N, X, FILE, or the words; empty for a switch.</summary>
    public abstract string ValueName { get; }

    /// <summary>What its value must be, as messages say it.</summary>
    public abstract string Expected { get; }

    /// <summary>True if it says something about many steps together, so that a single step does not depend on it.</summary>
    public bool AcrossSteps { get; init; }

    /// <summary>The value that nobody gave; null for none.</summary>
    public abstract object? DefaultOf(Training.Preset preset);

    /// <summary>A value from the command line; null if it cannot be used.</summary>
    public abstract object? Parse(string text);

    /// <summary>A value from JSON; null if it is of another type.</summary>
    public abstract object? Read(JsonElement value);

    /// <summary>A value in JSON.</summary>
    public abstract JsonNode Write(object value);

    /// <summary>Whether a value is in the option's range.</summary>
    public abstract bool IsAllowed(object value);
}

/// <summary>An option whose values have a type.</summary>
public abstract class MethodOption<T>(string name, string help) : MethodOption(name, help)
    where T : notnull
{
    /// <inheritdoc/>
    public sealed override bool IsAllowed(object value) => value is T typed && Allows(typed);

    /// <summary>Whether a value is in the option's range.</summary>
    protected abstract bool Allows(T value);
}

/// <summary>A real number.</summary>
/// <param name="name">See <see cref="MethodOption"/>.</param>
/// <param name="help">See <see cref="MethodOption"/>.</param>
/// <param name="value">Its default.</param>
public sealed class NumberOption(string name, string help, double value) : MethodOption<double>(name, help)
{
    /// <summary>Its largest value.</summary>
    public double Maximum { get; init; } = double.MaxValue;

    /// <inheritdoc/>
    public override string ValueName => "X";

    /// <inheritdoc/>
    public override string Expected => Maximum == double.MaxValue
        ? "a number, at least 0"
        : string.Create(CultureInfo.InvariantCulture, $"a number from 0 to {Maximum}");

    /// <inheritdoc/>
    public override object? DefaultOf(Training.Preset preset) => value;

    /// <inheritdoc/>
    public override object? Parse(string text) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double number) && Allows(number) ? number : null;

    /// <inheritdoc/>
    public override object? Read(JsonElement value) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out double number) ? number : null;

    /// <inheritdoc/>
    public override JsonNode Write(object value) => JsonValue.Create((double)value);

    /// <inheritdoc/>
    protected override bool Allows(double value) => value >= 0 && value <= Maximum && double.IsFinite(value);
}

/// <summary>A whole number.</summary>
/// <param name="name">See <see cref="MethodOption"/>.</param>
/// <param name="help">See <see cref="MethodOption"/>.</param>
/// <param name="value">Its default.</param>
/// <param name="minimum">Its smallest value.</param>
public sealed class WholeNumberOption(string name, string help, int value, int minimum) : MethodOption<int>(name, help)
{
    /// <summary>The default of <see cref="Training.Preset.Reference"/>; null where it is the same.</summary>
    public int? Reference { get; init; }

    /// <inheritdoc/>
    public override string ValueName => "N";

    /// <inheritdoc/>
    public override string Expected => string.Create(CultureInfo.InvariantCulture, $"a whole number, at least {minimum}");

    /// <inheritdoc/>
    public override object? DefaultOf(Training.Preset preset) => (preset == Training.Preset.Reference ? Reference : null) ?? value;

    /// <inheritdoc/>
    public override object? Parse(string text) =>
        int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int number) && Allows(number) ? number : null;

    /// <inheritdoc/>
    public override object? Read(JsonElement value) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int number) ? number : null;

    /// <inheritdoc/>
    public override JsonNode Write(object value) => JsonValue.Create((int)value);

    /// <inheritdoc/>
    protected override bool Allows(int value) => value >= minimum;
}

/// <summary>A switch, off unless given.</summary>
public sealed class SwitchOption(string name, string help) : MethodOption<bool>(name, help)
{
    /// <inheritdoc/>
    public override string ValueName => "";

    /// <inheritdoc/>
    public override string Expected => "true or false";

    /// <inheritdoc/>
    public override object? DefaultOf(Training.Preset preset) => false;

    /// <inheritdoc/>
    public override object? Parse(string text) => bool.TryParse(text, out bool on) ? on : null;

    /// <inheritdoc/>
    public override object? Read(JsonElement value) =>
        value.ValueKind is JsonValueKind.True or JsonValueKind.False ? value.GetBoolean() : null;

    /// <inheritdoc/>
    public override JsonNode Write(object value) => JsonValue.Create((bool)value);

    /// <inheritdoc/>
    protected override bool Allows(bool value) => true;
}

/// <summary>One of an enumeration's words, in kebab case.</summary>
/// <param name="name">See <see cref="MethodOption"/>.</param>
/// <param name="help">See <see cref="MethodOption"/>.</param>
/// <param name="paper">The default of <see cref="Training.Preset.Paper"/>.</param>
/// <param name="reference">The default of <see cref="Training.Preset.Reference"/>.</param>
public sealed class WordOption<T>(string name, string help, T paper, T reference) : MethodOption<T>(name, help)
    where T : struct, Enum
{
    /// <summary>One default for both presets.</summary>
    public WordOption(string name, string help, T value)
        : this(name, help, value, value)
    {
    }

    /// <inheritdoc/>
    public override string ValueName => string.Join('|', Enum.GetValues<T>().Select(WordOf));

    /// <inheritdoc/>
    public override string Expected => $"one of {string.Join(", ", Enum.GetValues<T>().Select(WordOf))}";

    /// <inheritdoc/>
    public override object? DefaultOf(Training.Preset preset) => preset == Training.Preset.Reference ? reference : paper;

    /// <inheritdoc/>
    public override object? Parse(string text)
    {
        foreach (T word in Enum.GetValues<T>())
        {
            if (WordOf(word) == text) return word;
        }
        return null;
    }

    /// <inheritdoc/>
    public override object? Read(JsonElement value) => value.ValueKind == JsonValueKind.String ? Parse(value.GetString()!) : null;

    /// <inheritdoc/>
    public override JsonNode Write(object value) => JsonValue.Create(WordOf((T)value))!;

    /// <inheritdoc/>
    protected override bool Allows(T value) => Enum.IsDefined(value);

    private static string WordOf(T word) => JsonNamingPolicy.KebabCaseLower.ConvertName(word.ToString());
}

/// <summary>A file of samples: a stream beside <c>--data</c>. It takes whatever <c>--data</c> takes.</summary>
/// <param name="name">See <see cref="MethodOption"/>.</param>
/// <param name="help">See <see cref="MethodOption"/>.</param>
/// <param name="kind">The stream that its samples are.</param>
/// <param name="samplesAtATime">How many samples are taken together; 0 for as many as training samples.</param>
public sealed class PoolOption(string name, string help, SampleKind kind, int samplesAtATime = 0) : MethodOption<string>(name, help)
{
    /// <summary>The stream that its samples are.</summary>
    public SampleKind Kind => kind;

    /// <summary>The stream that gets every fourth of its samples, which the other then lacks; null if none does.</summary>
    public SampleKind? HeldOut { get; init; }

    /// <summary>The streams that its samples are.</summary>
    public IEnumerable<SampleKind> Kinds => HeldOut is { } heldOut ? [kind, heldOut] : [kind];

    /// <summary>The option that says how many samples are taken together; null where the method does.</summary>
    public WholeNumberOption? Count { get; init; }

    /// <summary>How many samples are taken together; 0 for as many as training samples.</summary>
    public int SamplesAtATime(MethodSettings settings) => Count is null ? samplesAtATime : settings.Get(Count);

    /// <summary>
    /// Says how many of its samples, the first ones, are appended to the training samples and are a part of them then; null for a stream of
    /// its own.
    /// </summary>
    public WholeNumberOption? Appended { get; init; }

    /// <summary>
    /// True for a file of pairs, which stands in place of <c>--data</c> and is read by <see cref="PairReader"/>: the harmless sides are the
    /// training samples, the others are of <see cref="Kind"/>, and each batch of these is that of the training samples.
    /// </summary>
    public bool OfPairs { get; init; }

    /// <inheritdoc/>
    public override string ValueName => "FILE";

    /// <inheritdoc/>
    public override string Expected => "FILE, not empty text";

    /// <inheritdoc/>
    public override object? DefaultOf(Training.Preset preset) => null;

    /// <inheritdoc/>
    public override object? Parse(string text) => text.Length > 0 ? text : null;

    /// <inheritdoc/>
    public override object? Read(JsonElement value) => value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    /// <inheritdoc/>
    public override JsonNode Write(object value) => JsonValue.Create((string)value)!;

    /// <inheritdoc/>
    protected override bool Allows(string value) => value.Length > 0;
}
