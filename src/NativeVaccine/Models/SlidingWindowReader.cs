using System.Collections.Immutable;
using System.Globalization;
using System.Text.Json;
using NativeVaccine.IO;

namespace NativeVaccine.Models;

/// <summary>How many tokens config.json lets a token see, layer by layer, as transformers 5.23 takes it.</summary>
/// <param name="Window">Of the layers that have one, with the token itself; 0 if none has.</param>
/// <param name="Layers">Which have it: <see cref="ModelConfiguration.WindowedLayers"/>.</param>
internal readonly record struct SlidingWindowReader(int Window, ImmutableArray<bool> Layers)
{
    public const string Windowed = "sliding_attention";
    public const string Full = "full_attention";
    private const string WindowName = "sliding_window";
    private const string SwitchName = "use_sliding_window";
    private const string TypesName = "layer_types";
    private const string PatternName = "sliding_window_pattern";

    /// <exception cref="InputException">A field is wrong, or layers are to have a window and there is none.</exception>
    public static SlidingWindowReader Read(JsonFields fields, ModelFamily family, int layers, Action<string>? notice)
    {
        bool isOn = family.Windows switch
        {
            WindowRule.None => false,
            WindowRule.FromMaxWindowLayers => fields.Boolean(SwitchName, false),
            _ => true,
        };
        int window = isOn ? ReadWindow(fields, family) : 0;
        ImmutableArray<bool>? types = family.Has(TypesName) ? ReadTypes(fields, layers) : null;
        ImmutableArray<bool> windowed = types ?? ByRule(fields, family, layers, window);
        bool isAnyWindowed = windowed.Contains(true);
        if (isAnyWindowed && window == 0)
        {
            throw types is null
                ? fields.Missing(WindowName, $"a whole number, since layers of {family.Name} have a window")
                : fields.Wrong(TypesName, InputText.Quote(Windowed), $"{Full}, since no {WindowName} is switched on for this family");
        }
        if (!isAnyWindowed && window > 0 && types is not null)
            notice?.Invoke($"{fields.File}: {WindowName} is not used, since {TypesName} is {Full} everywhere, as in transformers 5.23");
        bool isMixed = windowed.Contains(!windowed[0]);
        return new(isAnyWindowed ? window : 0, isMixed || family.LocalRopeTheta is not null ? windowed : []);
    }

    private static int ReadWindow(JsonFields fields, ModelFamily family)
    {
        bool isGiven = fields.Element.TryGetProperty(WindowName, out _);
        if (fields.Has(WindowName)) return fields.WholeNumber(WindowName, 1, int.MaxValue);
        return isGiven ? 0 : family.Window ?? 0;
    }

    private static ImmutableArray<bool> ByRule(JsonFields fields, ModelFamily family, int layers, int window)
    {
        int first = family.Windows == WindowRule.FromMaxWindowLayers ? fields.WholeNumber("max_window_layers", 0, int.MaxValue, 28) : 0;
        int pattern = family.WindowPattern;
        if (family.Has(PatternName)) pattern = fields.WholeNumber(PatternName, 1, int.MaxValue, pattern);
        return [.. Enumerable.Range(0, layers).Select(layer => family.Windows switch
        {
            WindowRule.AllButEveryNth => (layer + 1) % pattern != 0,
            _ => window > 0 && layer >= first,
        })];
    }

    /// <summary>What layer_types says; null if it is not given.</summary>
    private static ImmutableArray<bool>? ReadTypes(JsonFields fields, int layers)
    {
        if (fields.Texts(TypesName) is not { } types) return null;
        JsonElement value = fields.Find(TypesName)!.Value;
        if (types.Count != layers)
            throw fields.Wrong(TypesName, value, string.Create(CultureInfo.InvariantCulture, $"{layers} entries, one for each layer"));
        if (types.FirstOrDefault(static type => type is not (Windowed or Full)) is { } other)
            throw fields.Wrong(TypesName, InputText.Quote(other), $"{Full} or {Windowed}");
        return [.. types.Select(static type => type == Windowed)];
    }
}
