using System.Globalization;
using System.Text.Json;
using NativeVaccine.IO;

namespace NativeVaccine.Models;

/// <summary>
/// How many tokens config.json lets a token see. transformers has it layer by layer (layer_types, max_window_layers); the engine has one
/// rule for all layers, so a mixture is refused.
/// </summary>
internal static class SlidingWindowReader
{
    private const string WindowName = "sliding_window";
    private const string SwitchName = "use_sliding_window";
    private const string TypesName = "layer_types";
    private const string Windowed = "sliding_attention";
    private const string Full = "full_attention";

    /// <returns>The window, with the token itself; 0 for none.</returns>
    /// <exception cref="InputException">A field is wrong, or layers differ.</exception>
    public static int Read(JsonFields fields, Architecture architecture, int layers, Action<string>? notice)
    {
        string? common = CommonType(fields, layers);
        bool isOn = architecture switch
        {
            Architecture.Mistral => true,
            Architecture.Qwen2 => fields.Boolean(SwitchName, false),
            _ => false,
        };
        int window = isOn ? Window(fields, architecture) : 0;
        if (common is null) return window > 0 && architecture == Architecture.Qwen2 && !IsInEveryLayer(fields, layers) ? 0 : window;
        if (common == Windowed && window == 0)
            throw fields.Wrong(TypesName, InputText.Quote(common), $"{Full}, since no {WindowName} is switched on for this family");
        if (common == Full && window > 0)
            notice?.Invoke($"{fields.File}: {WindowName} is not used, since {TypesName} is {Full} everywhere, as in transformers 5.23");
        return common == Full ? 0 : window;
    }

    private static int Window(JsonFields fields, Architecture architecture)
    {
        if (fields.Has(WindowName)) return fields.WholeNumber(WindowName, 1, int.MaxValue);
        bool isGiven = fields.Element.TryGetProperty(WindowName, out _);
        return isGiven || architecture == Architecture.Qwen2 ? 0 : 4096;
    }

    /// <summary>Layers from max_window_layers on have the window; those below see everything.</summary>
    private static bool IsInEveryLayer(JsonFields fields, int layers)
    {
        int first = fields.WholeNumber("max_window_layers", 0, int.MaxValue, 28);
        if (first > 0 && first < layers)
            throw fields.Wrong("max_window_layers", first.ToString(CultureInfo.InvariantCulture), "0 or at least num_hidden_layers");
        return first == 0;
    }

    /// <summary>What layer_types says of every layer; null if it is not given.</summary>
    private static string? CommonType(JsonFields fields, int layers)
    {
        if (fields.Texts(TypesName) is not { } types) return null;
        JsonElement value = fields.Find(TypesName)!.Value;
        if (types.Count != layers)
            throw fields.Wrong(TypesName, value, string.Create(CultureInfo.InvariantCulture, $"{layers} entries, one for each layer"));
        if (types.FirstOrDefault(static type => type is not (Windowed or Full)) is { } other)
            throw fields.Wrong(TypesName, InputText.Quote(other), $"{Full} or {Windowed}");
        if (types.Distinct(StringComparer.Ordinal).Skip(1).Any())
            throw fields.Wrong(TypesName, value, $"the same in every layer: a mixture of {Full} and {Windowed} is not supported");
        return types[0];
    }
}
